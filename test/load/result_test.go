package load_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"matriq/pkg/load"
)

// Every field of the JSON is described.
func TestResult_IsInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fields(reflect.TypeFor[load.Result]()) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/load.md does not tell of the field %s", name)
		}
	}
	for _, kind := range []load.Kind{
		load.KindLater, load.KindNotFinished, load.KindNotSent, load.KindTimeout, load.KindRefused, load.KindReset, load.KindName,
		load.KindTLS, load.KindFar, load.KindNoMail, load.KindNotDone, load.KindMailbox, load.KindWrong,
	} {
		if !strings.Contains(string(text), "`"+string(kind)+"`") {
			t.Errorf("docs/load.md does not tell of the kind %s", kind)
		}
	}
}

// fields are the names in the JSON of a type, those of its parts included.
func fields(of reflect.Type) (names []string) {
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.PkgPath() != reflect.TypeFor[load.Result]().PkgPath() {
		return nil
	}
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
		names = append(names, fields(field.Type)...)
	}
	return names
}
