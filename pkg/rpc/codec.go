package rpc

import (
	"bytes"
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
	index int
	name  string
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
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = f.Name
		}
		fields = append(fields, field{index: i, name: name})
	}
	fieldsOf.Store(t, fields)
	return fields
}

// call is the body of a request as Nameko has it.
type call struct {
	Args   []json.RawMessage          `json:"args"`
	Kwargs map[string]json.RawMessage `json:"kwargs"`
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
	c, err := decodeCall(body)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(req).Elem()
	fields := argFields(v.Type())
	if len(c.Args) > len(fields) {
		return badSignature("takes %d arguments but %d were given", len(fields), len(c.Args))
	}
	given := len(c.Kwargs)
	for i, f := range fields {
		raw, named := c.Kwargs[f.name]
		switch {
		case i < len(c.Args) && named:
			return badSignature("got multiple values for argument '%s'", f.name)
		case i < len(c.Args):
			raw = c.Args[i]
		case named:
			given--
		case optional(v.Type().Field(f.index)):
			continue
		default:
			return badSignature("missing a required argument: '%s'", f.name)
		}
		if err := json.Unmarshal(raw, v.Field(f.index).Addr().Interface()); err != nil {
			return &Error{Code: InvalidArgument, Message: fmt.Sprintf("argument '%s' has the wrong type", f.name), Reason: reasonSignature, cause: err}
		}
	}
	if given > 0 {
		return badSignature("got %d unexpected keyword arguments", given)
	}
	return nil
}

func decodeCall(body []byte) (call, error) {
	var c call
	err := json.Unmarshal(body, &c)
	if _, syntax := errors.AsType[*json.SyntaxError](err); syntax {
		return c, &Error{Code: InvalidArgument, Message: "the body is not JSON", Reason: reasonMalformed, cause: err}
	}
	if err != nil {
		return c, &Error{Code: InvalidArgument, Message: "args must be a list and kwargs an object", Reason: reasonMalformed, cause: err}
	}
	if c.Args == nil || c.Kwargs == nil || bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return c, &Error{Code: InvalidArgument, Message: "Message missing `args` or `kwargs`", Reason: reasonMalformed}
	}
	return c, nil
}

func optional(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
}

// Reasons that correspond to Nameko's own exceptions.
const (
	reasonMalformed = "malformed_request"
	reasonSignature = "incorrect_signature"
	reasonMethod    = "method_not_found"
)

func badSignature(format string, args ...any) *Error {
	return (&Error{Code: InvalidArgument, Message: fmt.Sprintf(format, args...)}).Because(reasonSignature)
}
