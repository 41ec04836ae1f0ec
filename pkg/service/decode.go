package service

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Validator is a config that checks itself once its fields are filled.
type Validator interface {
	// Validate returns every fault, best as [Fault].
	Validate() []error
}

// Decode fills cfg, a pointer to a struct, from the settings by its tags:
//
//	TTL time.Duration `env:"OTP_TTL" envDefault:"10m" desc:"life of a code"`
//	URL string        `env:"AMQP_URL,required" secret:"true" desc:"the broker"`
//
// An empty value counts as not set. NAME_FILE is read instead of NAME, less the
// newline at its end. If cfg is a [Validator] it then has the last word. The
// error is [Faults] and has everything that is wrong, also with the settings
// that all programs have.
func (e Env) Decode(cfg any) error {
	faults := append(Faults{}, e.faults...)
	for _, f := range decode(e.vars, cfg) {
		if !faults.has(f) {
			faults = append(faults, f)
		}
	}
	return faults.err()
}

func decode(vars map[string]string, cfg any) Faults {
	settings := Settings(cfg)
	values, faults := resolve(vars, settings)
	err := env.ParseWithOptions(cfg, env.Options{Environment: values})
	for _, err := range parts(err) {
		if f := explain(err, settings, values); !faults.has(f) {
			faults = append(faults, f)
		}
	}
	v, ok := cfg.(Validator)
	if !ok {
		return faults
	}
	broken := append(Faults{}, faults...)
	for _, err := range v.Validate() {
		// A field that could not be filled is not reported a second time.
		if f := asFault(err); !broken.has(f) {
			faults = append(faults, f)
		}
	}
	return faults
}

func parts(err error) []error {
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		return all.Errors
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// resolve picks the values that settings name and reads those in files.
func resolve(vars map[string]string, settings []Setting) (map[string]string, Faults) {
	var faults Faults
	values := map[string]string{}
	for _, s := range settings {
		value, err := Value(func(name string) string { return vars[name] }, s.Name)
		if err != nil {
			faults = append(faults, asFault(err))
		} else if value != "" {
			values[s.Name] = value
		}
	}
	return values, faults
}

// Value is the text of one setting: NAME, or what is in the file that NAME_FILE
// names, less the newline at its end; "" if there is neither. The error is a
// [Fault].
func Value(getenv func(string) string, name string) (string, error) {
	value, file := getenv(name), getenv(name+"_FILE")
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", Fault{Setting: name, Problem: "is set twice, also as " + name + "_FILE", Cure: "keep one of the two"}
	}
	text, err := os.ReadFile(file) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return "", Fault{Setting: name, Problem: "cannot be read from its file", Cure: fmt.Sprintf("mend %s_FILE (%v)", name, err)}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// explain names the setting and the cure for a failure of the parser.
func explain(err error, settings []Setting, values map[string]string) Fault {
	if missing, ok := errors.AsType[env.VarIsNotSetError](err); ok {
		return absent(missing.Key, settings)
	}
	if empty, ok := errors.AsType[env.EmptyVarError](err); ok {
		return absent(empty.Key, settings)
	}
	bad, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return Fault{Problem: err.Error()}
	}
	for _, s := range settings {
		if s.field == bad.Name && s.typ == bad.Type {
			return malformed(s, values[s.Name], bad.Err)
		}
	}
	return Fault{Problem: "is malformed", Setting: bad.Name}
}

func absent(name string, settings []Setting) Fault {
	f := Fault{Setting: name, Problem: "is not set", Cure: fmt.Sprintf("set %s, or %s_FILE to a file that holds it", name, name)}
	for _, s := range settings {
		if s.Name == name && s.About != "" {
			f.Cure += " (" + s.About + ")"
		}
	}
	return f
}

func malformed(s Setting, value string, err error) Fault {
	f := Fault{Setting: s.Name, Problem: "is malformed", Cure: "write " + form(s.typ)}
	if s.Secret {
		return f
	}
	f.Problem = fmt.Sprintf("is %q", value)
	if form(s.typ) == "" {
		f.Cure = err.Error()
	}
	return f
}

// form says how a value of type t is written; empty where only its own parser
// knows.
func form(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 90s, 10m or 24h"
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return ""
	}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return "true or false"
	case k >= reflect.Int && k <= reflect.Int64:
		return "a whole number"
	case k >= reflect.Uint && k <= reflect.Uint64:
		return "a whole number, 0 or more"
	case k == reflect.Float32 || k == reflect.Float64:
		return "a number"
	default:
		return ""
	}
}
