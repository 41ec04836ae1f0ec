// Package address makes the one canonical form of an e-mail address, by which
// the suite tells whether two spellings are the same address.
//
// It takes less than RFC 5322 allows and much less than [net/mail] does: a
// dot-atom, one "@", and a domain of two labels or more. Quotes, comments,
// literals, controls, bidi marks and letters outside ASCII before the "@" are
// refused, never repaired. The canonical form is ASCII: the local part in lower
// case, the domain as lower-case A-labels.
//
// It promises nothing about the mailbox: neither that it exists nor that its
// server ignores case. Mail therefore goes to the [Mailbox] that was listed, and
// never to the canonical form. Plus tags and dots are letters like any other:
// a+b@x.th and a@x.th are two addresses.
package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of RFC 5321, in octets.
const (
	maxAddress = 254
	maxLocal   = 64
)

// space is what may surround an address: what keyboards, spreadsheets and line
// ends leave there.
const space = " \t\r\n\u00a0"

// ErrInvalid means that the text is no address. It is wrapped with the rule that
// was broken, which never repeats what was typed.
var ErrInvalid = errors.New("not an e-mail address")

// Canonical returns the form that all spellings of an address share. It is
// idempotent, and its result is ASCII without spaces.
func Canonical(typed string) (string, error) {
	local, domain, err := parse(typed)
	if err != nil {
		return "", err
	}
	return lowerASCII(local) + "@" + domain, nil
}

// Mailbox returns the spelling to which mail goes: the address without the space
// around it, and with A-labels when the domain is not ASCII, since few mail
// servers take another one. It fails exactly when [Canonical] does.
func Mailbox(listed string) (string, error) {
	local, domain, err := parse(listed)
	if err != nil {
		return "", err
	}
	if trimmed := strings.Trim(listed, space); isASCII(trimmed) {
		return trimmed, nil
	}
	return local + "@" + domain, nil
}

// Mask returns what a log may hold of an address: the first letter and the
// domain, as in "s…@x.th". What is no address becomes "…".
func Mask(s string) string {
	canonical, err := Canonical(s)
	if err != nil {
		return "…"
	}
	local, domain, _ := strings.Cut(canonical, "@")
	if len(local) == 1 {
		return "…@" + domain
	}
	return local[:1] + "…@" + domain
}

// parse splits an address into the local part as it is spelled and the domain in
// its canonical form.
func parse(typed string) (local, domain string, err error) {
	s := strings.Trim(typed, space)
	if err := checkText(s); err != nil {
		return "", "", err
	}
	if strings.Count(s, "@") != 1 {
		return "", "", invalid("it needs exactly one @")
	}
	local, domain, _ = strings.Cut(s, "@")
	if err := checkLocal(local); err != nil {
		return "", "", err
	}
	domain, err = canonicalDomain(domain)
	if err != nil {
		return "", "", err
	}
	if len(local)+len("@")+len(domain) > maxAddress {
		return "", "", invalid("it is longer than 254 octets")
	}
	return local, domain, nil
}

// checkText refuses what is unsafe anywhere in an address.
func checkText(s string) error {
	switch {
	case s == "":
		return invalid("it is empty")
	case len(s) > maxAddress:
		return invalid("it is longer than 254 octets")
	case !utf8.ValidString(s):
		return invalid("it is not UTF-8")
	case strings.ContainsFunc(s, unseen):
		return invalid("it has a space, a control or an invisible character")
	}
	return nil
}

// unseen reports whether r shows nothing, or changes how its neighbours show.
// The joiners are left to the rules for domains, where some scripts need them.
func unseen(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	if r == nonJoiner || r == joiner {
		return false
	}
	return unicode.In(r, unicode.Z, unicode.C, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// checkLocal takes the dot-atom of RFC 5322.
func checkLocal(local string) error {
	if len(local) > maxLocal {
		return invalid("the part before the @ is longer than 64 octets")
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return invalid("the part before the @ is empty or has a dot too many")
		}
		if strings.ContainsFunc(atom, notAtext) {
			return invalid("the part before the @ has a character that is not allowed")
		}
	}
	return nil
}

func notAtext(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// lowerASCII leaves alone what [strings.ToLower] would map into ASCII, such as
// the KELVIN SIGN.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func invalid(rule string) error { return fmt.Errorf("%w: %s", ErrInvalid, rule) }
