package otpgateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"matriq/pkg/rest"
)

// FuzzJSONRows: whatever arrives as a list in JSON, it is read row by row without
// a gap, or ends with an error of the client's; and what is taken to its end is
// what encoding/json reads.
func FuzzJSONRows(f *testing.F) {
	for _, seed := range []string{
		"", "null", `{"emails":[]}`, `{"emails":["a@x.th","b@"]}`, `{"emails":[1,null,["a"],{"a":1}]}`, `{"Emails":[]}`,
		`{"emails":[],"emails":[]}`, `{"emails":[]}{}`, `{"emails":["\ud800"]}`, `{"emails":["a"`, "\ufeff{}", `{"emails":{}}`,
		`{"emails":["` + strings.Repeat("a", maxRow) + `"]}`, `{"emails":[` + strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		values, err := drain(t, body, jsonRows(strings.NewReader(string(body))))
		if err != nil {
			wantFault(t, body, err)
			return
		}
		var plain struct{ Emails []any }
		if err := json.Unmarshal(body, &plain); err != nil || len(plain.Emails) != len(values) {
			t.Fatalf("%q has %d rows, encoding/json reads %v, %v", body, len(values), plain.Emails, err)
		}
		for i, want := range plain.Emails {
			text, isText := want.(string)
			if rejected := values[i].reason != ""; rejected == isText || isText && text != values[i].value {
				t.Errorf("%q: row %d is %+v, encoding/json reads %v", body, i+1, values[i], want)
			}
		}
	})
}

// FuzzCSVRows: whatever arrives as a CSV file, no row is lost between two others,
// none has a line break or is longer than a line may be, and the file ends with an
// error of the client's or with none.
func FuzzCSVRows(f *testing.F) {
	for _, seed := range []string{
		"", "a@x.th", "email\na@x.th\n", "\ufeffE-Mail;name\r\na@x.th;A\r\n", "อีเมล\tชื่อ\na@x.th\tก\n", "name,email\nA,\"a@x.th\"\n",
		"email\n\"a@x.th\n", "a,b\n", "email\n=HYPERLINK(\"evil.example\")\n", "email\n\x00\n", "email\r\ra@x.th", "\"\"\n", ",,,@\n",
		strings.Repeat("a", maxRow+1) + "\nb@x.th\n", "email\na@x.th,\u2028\n", "\xff\xfee\x00m\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		values, err := drain(t, body, csvRows(strings.NewReader(string(body))))
		if err != nil {
			wantFault(t, body, err)
		}
		if lines := strings.Count(string(body), "\n") + 1; len(values) > lines {
			t.Errorf("%q has %d rows in %d lines", body, len(values), lines)
		}
		for _, r := range values {
			if strings.Contains(r.value, "\n") || len(r.value) > maxRow {
				t.Errorf("%q: row %d has the value %q", body, r.number, r.value)
			}
		}
	})
}

// drain reads all rows; their numbers rise.
func drain(t *testing.T, body []byte, list rows) (values []row, err error) {
	t.Helper()
	last := 0
	for r, err := range list {
		if err != nil {
			return values, err
		}
		if r.number <= last {
			t.Errorf("%q: row %d comes after %d", body, r.number, last)
		}
		if cut := cutValue(r.value); utf8.RuneCountInString(cut) > maxValue {
			t.Errorf("%q: row %d is reported as %q", body, r.number, cut)
		}
		last = r.number
		values = append(values, r)
	}
	return values, nil
}

// wantFault fails the test unless err is the client's fault.
func wantFault(t *testing.T, body []byte, err error) {
	t.Helper()
	e, ok := errors.AsType[*rest.Error](err)
	if !ok || e.Status != http.StatusBadRequest && e.Status != http.StatusUnprocessableEntity {
		t.Errorf("%q ends with %v, want a problem of 400 or 422", body, err)
	}
}
