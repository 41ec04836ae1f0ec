package rpc

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// What our own programs send has one form, and most of what is received has it. It
// is taken apart here without decoding the whole of a body to find its parts;
// whatever looks otherwise, or is wrong in any way, is left to encoding/json, which
// also says what is wrong.
const (
	argsBegin   = `{"args":[`
	argsEnd     = `],"kwargs":{}}`
	resultBegin = `{"result":`
	resultEnd   = `,"error":null}`
)

// decodePositional fills req, a pointer to a struct, when body has all its
// arguments by position. When it returns false, req may have been filled in part.
func decodePositional(body []byte, req any) bool {
	list, ok := between(body, argsBegin, argsEnd)
	if !ok {
		return false
	}
	v := reflect.ValueOf(req).Elem()
	fields := argFields(v.Type())
	for i, f := range fields {
		value, rest, more := cutValue(list)
		if more != (i < len(fields)-1) || json.Unmarshal(value, v.Field(f.index).Addr().Interface()) != nil {
			return false
		}
		list = rest
	}
	return len(list) == 0
}

// decodeResult returns the result of a reply without an error.
func decodeResult(body []byte) (result []byte, ok bool) {
	value, ok := between(body, resultBegin, resultEnd)
	return value, ok && isValue(value)
}

// isValue tells whether text is one value and nothing else.
func isValue(text []byte) bool {
	if _, rest, ok := takeString(text); ok && len(rest) == 0 {
		return true
	}
	return json.Valid(text)
}

// encodeResult is the reply with a result that [json.Marshal] has written.
func encodeResult(result []byte) []byte {
	body := make([]byte, 0, len(resultBegin)+len(result)+len(resultEnd))
	body = append(body, resultBegin...)
	body = append(body, result...)
	return append(body, resultEnd...)
}

func between(body []byte, begin, end string) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(body, []byte(begin))
	if !ok {
		return nil, false
	}
	return bytes.CutSuffix(rest, []byte(end))
}

// cutValue returns what stands before the first comma that is in no string, no
// list and no object of its own, and what stands behind it. It finds the parts of
// what is JSON; of what is not, at least one part is no JSON either, since no part
// ends in a string, or below the level on which it began.
func cutValue(list []byte) (value, rest []byte, more bool) {
	depth := 0
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '"':
			i = endOfString(list, i+1)
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 {
				return list[:i], list[i+1:], true
			}
		}
	}
	return list, nil, false
}

// endOfString returns where the string ends that has begun before from: at its
// quotation mark, or behind the text when it has none.
func endOfString(text []byte, from int) int {
	for i := from; ; i++ {
		next := bytes.IndexAny(text[min(i, len(text)):], `"\\`)
		if next < 0 {
			return len(text)
		}
		if i += next; text[i] == '"' {
			return i
		}
		i++ // what is escaped is no end
	}
}
