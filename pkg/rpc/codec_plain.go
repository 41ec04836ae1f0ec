package rpc

import (
	"bytes"
	"reflect"
)

// The messages whose arguments, or whose result, are all plain, in the form in which
// our own programs send them.

// encodePlain is [encodeArgs] of a struct whose arguments are all plain; false means
// that they need more.
func encodePlain(req any) (body []byte, ok bool) {
	v := reflect.ValueOf(req)
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	fields := argFields(v.Type())
	room := len(argsBegin) + len(argsEnd)
	for _, f := range fields {
		if !f.plain {
			return nil, false
		}
		room += roomOf(v.Field(f.index)) + len(",")
	}
	body = append(make([]byte, 0, room), argsBegin...)
	for i, f := range fields {
		if i > 0 {
			body = append(body, ',')
		}
		if body, ok = appendPlain(body, v.Field(f.index)); !ok {
			return nil, false
		}
	}
	return append(body, argsEnd...), true
}

// decodePlain is [decodeArgs] of a struct whose arguments are all plain, and there by
// position. When it returns false, req may have been filled in part.
func decodePlain(body []byte, req any) bool {
	list, ok := between(body, argsBegin, argsEnd)
	if !ok {
		return false
	}
	v := reflect.ValueOf(req).Elem()
	for i, f := range argFields(v.Type()) {
		if i > 0 {
			list, ok = bytes.CutPrefix(list, []byte(","))
		}
		if !ok || !f.plain {
			return false
		}
		if list, ok = takePlain(list, v.Field(f.index)); !ok {
			return false
		}
	}
	return len(list) == 0
}

// encodePlainResult is [encodeResult] of what v, whose type is plain, points to.
func encodePlainResult(result any) (body []byte, ok bool) {
	v := reflect.ValueOf(result).Elem()
	body = append(make([]byte, 0, len(resultBegin)+roomOf(v)+len(resultEnd)), resultBegin...)
	body, ok = appendPlain(body, v)
	return append(body, resultEnd...), ok
}

// decodePlainResult is [json.Unmarshal] for a result whose type is plain.
func decodePlainResult(text []byte, result any) bool {
	rest, ok := takePlain(text, reflect.ValueOf(result).Elem())
	return ok && len(rest) == 0
}
