package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of the inputs.
const (
	fieldEmail     = "email"
	fieldCode      = "otp"
	fieldFirstname = "firstname"
	fieldLastname  = "lastname"
	fieldLang      = "lang"
	fieldJourney   = "journey"
)

const (
	minCode = 6
	maxCode = 10
	maxName = 100
)

// normalCode reads a code as people type and paste it: with spaces and dashes,
// and in Thai digits. It is false for anything that cannot be a code.
func normalCode(typed string) (string, bool) {
	var code strings.Builder
	for _, r := range typed {
		switch {
		case r >= '0' && r <= '9':
			code.WriteRune(r)
		case r >= '๐' && r <= '๙':
			code.WriteRune('0' + r - '๐')
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
		default:
			return "", false
		}
	}
	return code.String(), code.Len() >= minCode && code.Len() <= maxCode
}

// nameFaults finds what needs no gateway to be found, so that both names are
// judged at once.
func nameFaults(firstname, lastname string) []fault {
	var faults []fault
	for _, n := range []struct{ name, reason string }{{firstname, reasonBadFirstname}, {lastname, reasonBadLastname}} {
		if n.name == "" || utf8.RuneCountInString(n.name) > maxName {
			faults = append(faults, fault{At: stepNames, Field: fieldOf(n.reason), Reason: n.reason})
		}
	}
	return faults
}
