package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// fieldsOf lists the arguments that a struct type stands for, once per type.
var fieldsOf sync.Map // reflect.Type → []field

type field struct {
	index    int
	name     string
	optional bool
	plain    bool
}

func argFields(t reflect.Type) []field {
	if cached, ok := fieldsOf.Load(t); ok {
		fields, _ := cached.([]field)
		return fields
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = f.Name
		}
		fields = append(fields, field{index: i, name: name, optional: optional(options), plain: isPlain(f.Type)})
	}
	fieldsOf.Store(t, fields)
	return fields
}

// call is the body of a request as Nameko has it.
type call struct {
	Args   []json.RawMessage          `json:"args"`
	Kwargs map[string]json.RawMessage `json:"kwargs"`
}

// bodyOf is the body of a request.
func bodyOf[Req any](req Req) ([]byte, error) {
	if body, ok := encodePlain(req); ok {
		return body, nil
	}
	return encodeArgs(req)
}

// argsOf reads the body of a request; see [decodeArgs] for its failures.
func argsOf[Req any](body []byte) (Req, error) {
	var plain Req
	if decodePlain(body, &plain) {
		return plain, nil
	}
	var req Req // on the heap, unlike the first
	err := decodeArgs(body, &req)
	return req, err
}

// encodeArgs gives all fields of req by position, as Nameko's clients do.
func encodeArgs(req any) ([]byte, error) {
	v := reflect.ValueOf(req)
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("arguments are a %T, not a struct", req)
	}
	args := []any{}
	for _, f := range argFields(v.Type()) {
		args = append(args, v.Field(f.index).Interface())
	}
	return json.Marshal(struct {
		Args   []any    `json:"args"`
		Kwargs struct{} `json:"kwargs"`
	}{Args: args})
}

// decodeArgs fills req, a pointer to a struct, by position and by name. Its
// failures are [InvalidArgument] with Nameko's reason for the same fault. An
// argument may be left out when its json tag says omitempty or omitzero.
func decodeArgs(body []byte, req any) error {
	if decodePositional(body, req) {
		return nil
	}
	c, err := decodeCall(body)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(req).Elem()
	fields := argFields(v.Type())
	if len(c.Args) > len(fields) {
		return badSignature("takes %d arguments but %d were given", len(fields), len(c.Args))
	}
	named := 0
	for i, f := range fields {
		raw, isNamed, err := c.argument(i, f)
		if err != nil {
			return err
		}
		if isNamed {
			named++
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, v.Field(f.index).Addr().Interface()); err != nil {
			return &Error{Code: InvalidArgument, Message: fmt.Sprintf("argument '%s' has the wrong type", f.name), Reason: reasonSignature, Ran: RanNo, cause: err}
		}
	}
	if unexpected := len(c.Kwargs) - named; unexpected > 0 {
		return badSignature("got %d unexpected keyword arguments", unexpected)
	}
	return nil
}

// argument returns what c has for f, the i-th argument; nil when it was left
// out and may be.
func (c call) argument(i int, f field) (raw json.RawMessage, named bool, err error) {
	raw, named = c.Kwargs[f.name]
	switch {
	case i < len(c.Args) && named:
		return nil, true, badSignature("got multiple values for argument '%s'", f.name)
	case i < len(c.Args):
		return c.Args[i], false, nil
	case !named && !f.optional:
		return nil, false, badSignature("missing a required argument: '%s'", f.name)
	}
	return raw, named, nil
}

func decodeCall(body []byte) (call, error) {
	var c call
	err := json.Unmarshal(body, &c)
	if _, syntax := errors.AsType[*json.SyntaxError](err); syntax {
		return c, malformed("the body is not JSON", err)
	}
	if err != nil {
		return c, malformed("args must be a list and kwargs an object", err)
	}
	if c.Args == nil || c.Kwargs == nil {
		return c, malformed("Message missing `args` or `kwargs`", nil)
	}
	return c, nil
}

func optional(options string) bool {
	return strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
}

// Reasons that correspond to Nameko's own exceptions.
const (
	reasonMalformed = "malformed_request"
	reasonSignature = "incorrect_signature"
	reasonMethod    = "method_not_found"
)

func badSignature(format string, args ...any) *Error {
	return &Error{Code: InvalidArgument, Message: fmt.Sprintf(format, args...), Reason: reasonSignature, Ran: RanNo}
}

func malformed(message string, cause error) *Error {
	return &Error{Code: InvalidArgument, Message: message, Reason: reasonMalformed, Ran: RanNo, cause: cause}
}

func noSuchMethod(method string) *Error {
	return &Error{Code: InvalidArgument, Message: method, Reason: reasonMethod, Ran: RanNo}
}
