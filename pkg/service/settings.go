package service

import (
	"encoding"
	"reflect"
	"strings"
)

// Setting describes one setting of a program.
type Setting struct {
	// Name is the environment's variable.
	Name string
	// Default is the value where it is not set.
	Default string
	// Required is true when the program does not start without it.
	Required bool
	// Secret is true when the value belongs into a file and never into a log.
	Secret bool
	// About is the description.
	About string

	field string
	typ   reflect.Type
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// Settings lists the settings of cfg, a struct or a pointer to one, in the order
// of its fields. Structs inside it without a name of their own are included,
// their names with the prefix that an envPrefix tag gives.
func Settings(cfg any) []Setting {
	t := reflect.TypeOf(cfg)
	if t == nil {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return settingsOf(t, "")
}

func settingsOf(t reflect.Type, prefix string) []Setting {
	var all []Setting
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		switch {
		case name == "-":
		case name != "":
			all = append(all, Setting{
				Name:     prefix + name,
				Default:  f.Tag.Get("envDefault"),
				Required: strings.Contains(options, "required") || strings.Contains(options, "notEmpty"),
				Secret:   f.Tag.Get("secret") == "true",
				About:    f.Tag.Get("desc"),
				field:    f.Name,
				typ:      f.Type,
			})
		case f.Type.Kind() == reflect.Struct:
			all = append(all, settingsOf(f.Type, prefix+f.Tag.Get("envPrefix"))...)
		}
	}
	return all
}
