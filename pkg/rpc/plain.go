package rpc

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Strings, integers and booleans, which most arguments and many results are, are
// written and read here, in one pass where encoding/json takes several. The bytes and
// the values are those of encoding/json; what it has to escape, to repair or to refuse
// is left to it.

// isPlain tells whether t is of these kinds and has no form of its own in JSON.
func isPlain(t reflect.Type) bool {
	integer := reflect.Int <= t.Kind() && t.Kind() <= reflect.Int64
	if t.Kind() != reflect.String && t.Kind() != reflect.Bool && !integer || t == reflect.TypeFor[json.Number]() {
		return false
	}
	for _, own := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if reflect.PointerTo(t).Implements(own) {
			return false
		}
	}
	return true
}

// appendPlain appends v, whose type is plain; false means that it needs encoding/json.
func appendPlain(b []byte, v reflect.Value) ([]byte, bool) {
	switch {
	case v.Kind() == reflect.String:
		return appendString(b, v.String())
	case v.Kind() == reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), true
	default:
		return strconv.AppendInt(b, v.Int(), 10), true
	}
}

// roomOf is how many bytes v, whose type is plain, takes at most.
func roomOf(v reflect.Value) int {
	if v.Kind() == reflect.String {
		return v.Len() + len(`""`)
	}
	return len("-9223372036854775808")
}

func appendString(b []byte, s string) ([]byte, bool) {
	switch has := traitsOf(s); {
	case has&(syntax|markup) != 0:
		return b, false
	case has&wide != 0 && (!utf8.ValidString(s) || strings.Contains(s, "\u2028") || strings.Contains(s, "\u2029")):
		return b, false
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), true
}

// takePlain sets v, whose type is plain, to the value at the head of text and returns
// what follows. It has not looked at that.
func takePlain(text []byte, v reflect.Value) (rest []byte, ok bool) {
	switch {
	case v.Kind() == reflect.String:
		s, rest, ok := takeString(text)
		if ok {
			v.SetString(string(s))
		}
		return rest, ok
	case v.Kind() == reflect.Bool:
		b, rest, ok := takeBool(text)
		if ok {
			v.SetBool(b)
		}
		return rest, ok
	default:
		n, rest, ok := takeInt(text)
		if !ok || v.OverflowInt(n) {
			return nil, false
		}
		v.SetInt(n)
		return rest, true
	}
}

// takeString takes a string that means what it says.
func takeString(text []byte) (s, rest []byte, ok bool) {
	if text, ok = bytes.CutPrefix(text, []byte(`"`)); !ok {
		return nil, nil, false
	}
	if s, rest, ok = bytes.Cut(text, []byte(`"`)); !ok {
		return nil, nil, false
	}
	has := traitsOf(s)
	ok = has&syntax == 0 && (has&wide == 0 || utf8.Valid(s))
	return s, rest, ok
}

func takeBool(text []byte) (b bool, rest []byte, ok bool) {
	if rest, ok = bytes.CutPrefix(text, []byte("true")); ok {
		return true, rest, true
	}
	rest, ok = bytes.CutPrefix(text, []byte("false"))
	return false, rest, ok
}

// maxDigits fit into 64 bits, whatever they are.
const maxDigits = 18

func takeInt(text []byte) (n int64, rest []byte, ok bool) {
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	length := 0
	for length < len(digits) && '0' <= digits[length] && digits[length] <= '9' {
		n = n*10 + int64(digits[length]-'0') // too many of them are refused below
		length++
	}
	if length == 0 || length > maxDigits || digits[0] == '0' && length > 1 {
		return 0, nil, false
	}
	if negative {
		n = -n
	}
	return n, digits[length:], true
}

// Traits of bytes, for encoding/json.
const (
	syntax = 1 << iota // never stands in a string as it is
	markup             // is escaped, although it needs not be
	wide               // is a part of what is not ASCII
)

// traits has those of each byte.
var traits = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c < ' ', c == '"', c == '\\':
			t[c] = syntax
		case c == '<', c == '>', c == '&':
			t[c] = markup
		case c >= utf8.RuneSelf:
			t[c] = wide
		}
	}
	return t
}()

// traitsOf returns the traits that any byte of s has. Eight bytes a turn take half the
// time that one does.
func traitsOf[Text string | []byte](s Text) (found uint8) {
	for ; len(s) >= 8; s = s[8:] {
		found |= traits[s[0]] | traits[s[1]] | traits[s[2]] | traits[s[3]] | traits[s[4]] | traits[s[5]] | traits[s[6]] | traits[s[7]]
	}
	for i := range len(s) {
		found |= traits[s[i]]
	}
	return found
}
