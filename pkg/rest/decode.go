package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// decode reads one JSON object into the struct that into points to, with none of
// encoding/json's leniency: the text is valid UTF-8 and one value, every key is
// written as declared, given once and known, every field is given unless its tag
// says omitempty, and every value is a string. The struct has only string fields;
// [mustBeFlat] sees to it.
func decode(data []byte, into any) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return Refuse(BadJSON, "The body must be one JSON object in UTF-8 and nothing else.")
	}
	target := reflect.ValueOf(into).Elem()
	names := fieldNames(target.Type())
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return Refuse(WrongType, "The body must be a JSON object.")
	}
	seen := make([]bool, len(names))
	for d.More() {
		i, err := nextKey(d, names, seen)
		if err != nil {
			return err
		}
		if err := stringValue(d, names[i], target.Field(i)); err != nil {
			return err
		}
	}
	for i, name := range names {
		if !seen[i] && !optional(target.Type().Field(i)) {
			return Refuse(MissingField, "The key %q is missing.", name)
		}
	}
	return nil
}

func optional(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return options == "omitempty"
}

// nextKey reads a key and returns the index of its field.
func nextKey(d *json.Decoder, names []string, seen []bool) (int, error) {
	token, err := d.Token()
	key, ok := token.(string)
	if err != nil || !ok {
		return 0, Refuse(BadJSON, "The body must be one JSON object in UTF-8 and nothing else.")
	}
	i := slices.Index(names, key)
	if i < 0 {
		return 0, unknownKey(key, names)
	}
	if seen[i] {
		return 0, Refuse(DuplicateKey, "The key %q is given twice.", key)
	}
	seen[i] = true
	return i, nil
}

func unknownKey(key string, names []string) *Error {
	for _, name := range names {
		if strings.EqualFold(key, name) {
			return Refuse(UnknownField, "The key %q is written %q.", key, name)
		}
	}
	return Refuse(UnknownField, "The key %.50q is none of %s.", key, strings.Join(names, ", "))
}

func stringValue(d *json.Decoder, name string, field reflect.Value) error {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return Refuse(BadJSON, "The value of %q could not be read.", name)
	}
	if raw[0] != '"' {
		return Refuse(WrongType, "The value of %q must be a string.", name)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return Refuse(BadJSON, "The value of %q could not be read.", name)
	}
	field.SetString(text)
	return nil
}

// fieldNames returns the JSON names of the fields of t, by index.
func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// mustBeFlat panics for a type that decode cannot fill: types are constants of
// the program.
func mustBeFlat(t reflect.Type) {
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == "" || f.Type.Kind() != reflect.String {
			panic(fmt.Sprintf("rest: the field %s of %s is no string with a JSON name", f.Name, t))
		}
	}
}
