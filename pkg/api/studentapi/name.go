package studentapi

import (
	"errors"
	"regexp"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxName is how many characters a name may have.
const MaxName = 100

// ErrName means that the text is no name. The message of an error that wraps it
// says why and may be shown; it never repeats what was typed.
var ErrName = errors.New("not a name")

// Name returns a first or last name as it is stored: what was typed, in Unicode's
// normal form C, which reads the same and makes equal names equal bytes. A name
// has 1 to 100 characters: letters of any script with their marks, spaces, ' - .
// and one letter at least. What reads like a web address is refused, so that no
// mail carries a link that a user typed.
func Name(typed string) (string, error) {
	if !utf8.ValidString(typed) || len(typed) > 16*MaxName {
		return "", nameError("must have 1 to 100 characters")
	}
	name := norm.NFC.String(typed)
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxName {
		return "", nameError("must have 1 to 100 characters")
	}
	letters := 0
	for _, r := range name {
		switch {
		case unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return "", nameError("must not have invisible letters")
		case unicode.IsLetter(r):
			letters++
		case !unicode.IsMark(r) && !punctuation(r):
			return "", nameError("may have letters, spaces and the signs ' - . only")
		}
	}
	if letters == 0 {
		return "", nameError("must have a letter")
	}
	if link.MatchString(name) {
		return "", nameError("must not look like a web address; write a space after the dot")
	}
	return name, nil
}

// punctuation has the typographic apostrophe too: phones write it for the plain
// one.
func punctuation(r rune) bool {
	switch r {
	case ' ', '\'', '’', '-', '.':
		return true
	}
	return false
}

// link is what mail programs turn into a link without a scheme: www. at the
// beginning of a word, a dot between a label and what may be a top-level domain,
// or one letter before a well-known one. Initials
// (J.R.) and Thai titles (ดร.สมชาย) are none.
var link = regexp.MustCompile(`(?i)(^|[^\pL\pM])www\.|[\pL\pM-]{2,}\.([a-z]{2,}|ไทย)($|[^\pL\pM])|[\pL\pM-]\.(com|net|org|co|io|me|th|in\.th)($|[^\pL\pM])`)

type nameError string

func (e nameError) Error() string { return "the name " + string(e) }
func (nameError) Unwrap() error   { return ErrName }
