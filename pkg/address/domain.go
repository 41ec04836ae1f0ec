package address

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// canonicalDomain returns the lower-case A-labels of a domain. It maps case,
// width and normal form as UTS 46 does for a look-up, so that every spelling of
// a domain leads to the same labels, and then holds the result to the rules for
// a registration, which map nothing.
func canonicalDomain(domain string) (string, error) {
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
