package rest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"matriq/pkg/rest"
)

func TestPost_Takes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ contentType, body string }{
		"plain":             {"application/json", goodBody},
		"with a charset":    {"application/json; charset=UTF-8", goodBody},
		"in any case":       {"Application/JSON", goodBody},
		"with space around": {"application/json", "\n\t " + goodBody + "\r\n"},
		"in another order":  {"application/json", `{"otp":"012345","email":"a@x.th"}`},
		"with escapes":      {"application/json", `{"\u0065mail":"a\u0040x.th","otp":"012345"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, r := newBench(t), request(t, http.MethodPost, "/echo", tc.body)
			r.Header.Set("Content-Type", tc.contentType)
			w := b.answer(r)
			if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != goodBody {
				t.Errorf("answer = %d %s, want the body as it was sent", w.Code, w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type = %q", got)
			}
		})
	}
}

// No bad body reaches the operation, and none is the server's fault.
func TestPost_RefusesBodies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		status int
		reason string
	}{
		"empty":                     {"", 400, "bad_json"},
		"cut":                       {`{"email":"a@x.th","otp":"0123`, 400, "bad_json"},
		"no JSON":                   {"email=a@x.th", 400, "bad_json"},
		"trailing data":             {goodBody + "{}", 400, "bad_json"},
		"trailing comma":            {`{"email":"a@x.th","otp":"012345",}`, 400, "bad_json"},
		"a comment":                 {"/**/" + goodBody, 400, "bad_json"},
		"a byte order mark":         {"\ufeff" + goodBody, 400, "bad_json"},
		"no UTF-8":                  {"{\"email\":\"a\xff@x.th\",\"otp\":\"012345\"}", 400, "bad_json"},
		"a raw control character":   {"{\"email\":\"a\n@x.th\",\"otp\":\"012345\"}", 400, "bad_json"},
		"a key twice":               {`{"email":"a@x.th","email":"b@x.th","otp":"012345"}`, 400, "duplicate_key"},
		"a key twice, once escaped": {`{"email":"a@x.th","\u0065mail":"b@x.th","otp":"012345"}`, 400, "duplicate_key"},
		"an unknown key":            {`{"email":"a@x.th","otp":"012345","admin":true}`, 422, "unknown_field"},
		"a key in another case":     {`{"Email":"a@x.th","otp":"012345"}`, 422, "unknown_field"},
		"both cases of a key":       {`{"email":"a@x.th","EMAIL":"b@x.th","otp":"012345"}`, 422, "unknown_field"},
		"an empty key":              {`{"":"","email":"a@x.th","otp":"012345"}`, 422, "unknown_field"},
		"__proto__":                 {`{"__proto__":{},"email":"a@x.th","otp":"012345"}`, 422, "unknown_field"},
		"a missing key":             {`{"email":"a@x.th"}`, 422, "missing_field"},
		"no key":                    {`{}`, 422, "missing_field"},
		"a number":                  {`{"email":"a@x.th","otp":12345}`, 422, "wrong_type"},
		"null":                      {`{"email":"a@x.th","otp":null}`, 422, "wrong_type"},
		"a boolean":                 {`{"email":true,"otp":"012345"}`, 422, "wrong_type"},
		"a list":                    {`{"email":["a@x.th"],"otp":"012345"}`, 422, "wrong_type"},
		"an object":                 {`{"email":{"$ne":""},"otp":"012345"}`, 422, "wrong_type"},
		"null as body":              {`null`, 422, "wrong_type"},
		"a string as body":          {`"a@x.th"`, 422, "wrong_type"},
		"a list as body":            {`[` + goodBody + `]`, 422, "wrong_type"},
		"deep lists":                {strings.Repeat("[", 2000) + strings.Repeat("]", 2000), 422, "wrong_type"},
		"deep in a value":           {`{"email":` + strings.Repeat("[", 1900) + strings.Repeat("]", 1900) + `}`, 422, "wrong_type"},
		"deep and cut":              {strings.Repeat(`{"email":`, 400), 400, "bad_json"},
		"the greatest body":         {goodBody + strings.Repeat(" ", 4096-len(goodBody)-1) + "x", 400, "bad_json"},
		"a greater one":             {goodBody + strings.Repeat(" ", 4096-len(goodBody)+1), 413, "body_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			wantProblem(t, b.answer(request(t, http.MethodPost, "/echo", tc.body)), tc.status, tc.reason)
			if b.calls.Load() != 0 {
				t.Error("the operation ran")
			}
		})
	}
}

// A body that does not tell its length is measured as it arrives.
func TestPost_RefusesTooLargeOfUnknownLength(t *testing.T) {
	t.Parallel()
	b, r := newBench(t), request(t, http.MethodPost, "/echo", goodBody+strings.Repeat(" ", 5000))
	r.ContentLength = -1
	wantProblem(t, b.answer(r), http.StatusRequestEntityTooLarge, "body_too_large")
}

func TestPost_RefusesMediaTypes(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{
		"none":              {},
		"a form":            {"Content-Type": {"application/x-www-form-urlencoded"}},
		"text":              {"Content-Type": {"text/plain"}},
		"another JSON":      {"Content-Type": {"application/merge-patch+json"}},
		"malformed":         {"Content-Type": {"application/json; charset"}},
		"another charset":   {"Content-Type": {"application/json; charset=tis-620"}},
		"two types":         {"Content-Type": {"application/json", "text/plain"}},
		"two in one line":   {"Content-Type": {"application/json, text/plain"}},
		"gzip":              {"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
		"gzip after none":   {"Content-Type": {"application/json"}, "Content-Encoding": {"identity", "gzip"}},
		"several encodings": {"Content-Type": {"application/json"}, "Content-Encoding": {"identity, br"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, r := newBench(t), request(t, http.MethodPost, "/echo", goodBody)
			credential := r.Header.Get("Authorization")
			r.Header = header
			r.Header.Set("Authorization", credential)
			wantProblem(t, b.answer(r), http.StatusUnsupportedMediaType, "unsupported_media_type")
			if b.calls.Load() != 0 {
				t.Error("the operation ran")
			}
		})
	}
}

func TestUpload_Limit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		size   int
		length int64
		ran    int32
		status int
	}{
		"at the limit":          {1000, 1000, 1, http.StatusOK},
		"over it, told":         {1001, 1001, 0, http.StatusRequestEntityTooLarge},
		"over it, of no length": {1001, -1, 1, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, r := newBench(t), request(t, http.MethodPost, "/upload", strings.Repeat("x", tc.size))
			r.ContentLength = tc.length
			r.Header.Set("Content-Type", "text/csv")
			r.SetBasicAuth("loader", "load my list please")
			w := b.answer(r)
			if w.Code != tc.status || b.calls.Load() != tc.ran {
				t.Errorf("answer = %d after %d runs, want %d after %d", w.Code, b.calls.Load(), tc.status, tc.ran)
			}
			if tc.status != http.StatusOK {
				wantProblem(t, w, tc.status, "body_too_large")
			}
		})
	}
}

// A field with omitempty may be left out, and is held to all else.
func TestDecode_Optional(t *testing.T) {
	t.Parallel()
	type person struct {
		Name string `json:"name"`
		Note string `json:"note,omitempty"`
	}
	for body, want := range map[string]struct {
		person
		reason string
	}{
		`{"name":"a"}`:                       {person{"a", ""}, ""},
		`{"name":"a","note":""}`:             {person{"a", ""}, ""},
		`{"note":"b","name":"a"}`:            {person{"a", "b"}, ""},
		`{"note":"b"}`:                       {person{}, "missing_field"},
		`{"name":"a","note":null}`:           {person{}, "wrong_type"},
		`{"name":"a","note":1}`:              {person{}, "wrong_type"},
		`{"name":"a","Note":"b"}`:            {person{}, "unknown_field"},
		`{"name":"a","note":"b","note":"b"}`: {person{}, "duplicate_key"},
	} {
		var got person
		err := rest.Decode([]byte(body), &got)
		if want.reason == "" && (err != nil || got != want.person) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
		if refusal, ok := errors.AsType[*rest.Error](err); want.reason != "" && (!ok || refusal.Reason != want.reason) {
			t.Errorf("%s: %v, want %s", body, err, want.reason)
		}
	}
}
