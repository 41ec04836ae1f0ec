package address

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// canonicalDomain returns the lower-case A-labels of a domain.
func canonicalDomain(domain string) (string, error) {
	labels, plain := plainDomain(domain)
	if !plain {
		var err error
		if labels, err = mappedDomain(domain); err != nil {
			return "", err
		}
	}
	dot := strings.LastIndexByte(labels, '.')
	if dot < 0 {
		return "", invalid("the domain needs two labels or more")
	}
	// A last label that begins with a digit is an IP address in one of its
	// spellings, never a top-level domain.
	if top := labels[dot+1]; top < 'a' || 'z' < top {
		return "", invalid("the domain does not end in a top-level domain")
	}
	return labels, nil
}

// Limits of DNS, in octets.
const (
	maxDomain = 253
	maxLabel  = 63
)

// plainDomain is [mappedDomain] of what most domains are, for which the rules say no
// more than to write small letters. It is false for all else, good or bad.
func plainDomain(domain string) (labels string, ok bool) {
	if len(domain) > maxDomain {
		return "", false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !isPlainLabel(label) {
			return "", false
		}
	}
	return lowerASCII(domain), true
}

// isPlainLabel takes letters and digits of ASCII with single hyphens between them. An
// A-label has two.
func isPlainLabel(label string) bool {
	if label == "" || len(label) > maxLabel {
		return false
	}
	hyphen := true // one more is too many, as at the begin
	for _, c := range []byte(label) {
		switch {
		case c == '-' && !hyphen:
			hyphen = true
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			hyphen = false
		default:
			return false
		}
	}
	return !hyphen
}

// mappedDomain maps case, width and normal form as UTS 46 does for a look-up, so that
// every spelling of a domain leads to the same labels, and then holds the result to the
// rules for a registration, which map nothing.
func mappedDomain(domain string) (string, error) {
	labels, err := lookup().ToASCII(domain)
	if err != nil {
		return "", invalid("the domain is not a valid name")
	}
	if strict, err := idna.Registration.ToASCII(labels); err != nil || strict != labels {
		return "", invalid("the domain is not a valid name")
	}
	if !isASCII(labels) || strings.HasSuffix(labels, ".") || hasSymbol(labels) {
		return "", invalid("the domain is not a valid name")
	}
	return labels, nil
}

// hasSymbol finds what UTS 46 takes and IDNA 2008 does not register, such as
// emoji.
func hasSymbol(labels string) bool {
	shown, err := idna.Registration.ToUnicode(labels)
	return err != nil || strings.ContainsFunc(shown, unicode.IsSymbol)
}

func lookup() *idna.Profile {
	return idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.StrictDomainName(true),
		idna.ValidateLabels(true),
		idna.CheckHyphens(true),
		idna.CheckJoiners(true),
		idna.BidiRule(),
		idna.VerifyDNSLength(true),
	)
}
