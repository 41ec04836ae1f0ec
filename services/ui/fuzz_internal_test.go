package ui

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"golang.org/x/net/html"

	"matriq/pkg/service"
)

// FuzzJourney: whatever a session holds, of this version or another, it is no
// journey or belongs to one step, whose page can be shown in both languages; what
// was typed is text on it.
func FuzzJourney(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"id":"A","email":"a@x.th","asked":true,"ref":"KTM","expires":"2026-01-02T03:04:05Z","left":3}`,
		`{"verified":"<script>@x.th","firstname":"\"><img src=x onerror=alert(1)>","lastname":"{{.}}"}`, `{"student_id":-1,"verified":"a@x.th"}`,
		`{"faults":[{"at":1,"field":"otp","reason":"wrong_code"},{"at":0,"reason":"none of ours"},{"at":99}],"note":"none of ours"}`,
		`{"asked":true,"expires":"9999-12-31T23:59:59Z","resend":"9999-12-31T23:59:59Z","left":-5}`, `{"lang":"<b>"}`, `{"email":1}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	u := newQuiet(f)
	f.Fuzz(func(t *testing.T, stored []byte) {
		var j journey
		if json.Unmarshal(stored, &j) != nil {
			return
		}
		name, ok := map[step]string{stepAddress: "start", stepCode: "code", stepNames: "names", stepDone: "done"}[j.step()]
		if !ok {
			t.Fatalf("%q is at the step %d", stored, j.step())
		}
		for _, l := range []lang{thai, english} {
			w := httptest.NewRecorder()
			v := &visit{w: w, r: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), lang: l, session: &session{found: true}, journey: j}
			if err := u.show(v, name, page{Title: name + ".title", Path: j.step().path(), Step: j.step()}); err != nil {
				t.Fatalf("%q in %s: %v", stored, l, err)
			}
			wantPlain(t, w.Body.String())
		}
	})
}

// wantPlain fails the test if a page has an element or an attribute that no
// template has.
func wantPlain(t *testing.T, body string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if slices.Contains([]string{"img", "iframe", "b", "style", "object"}, n.Data) && n.Type == html.ElementNode {
			t.Errorf("<%s> on the page:\n%s", n.Data, body)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s=%q on the page:\n%s", a.Key, a.Val, body)
			}
		}
	}
}

// FuzzParseForm: whatever a body holds, it is a form of at most 4 KiB, or one of
// three pages tells why not.
func FuzzParseForm(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for _, seed := range [][2]string{
		{form, "email=a%40x.th"},
		{form, "email=%4"},
		{form, "a=b;c=d"},
		{form + "; charset=tis-620", "email=\xa1"},
		{"text/plain", "email=a"},
		{"", ""},
		{"multipart/form-data; boundary=x", "--x--"},
		{form, strings.Repeat("a=b&", 2000)},
		{form + ";;", "a"},
		{form, "%00=%00"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?email=link@x.th", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		refused := parseForm(httptest.NewRecorder(), r)
		switch {
		case refused == nil && (len(body) > maxForm || slices.Contains(r.PostForm["email"], "link@x.th") && !strings.Contains(body, "link")):
			t.Errorf("%q of %d bytes is taken: %v", kind, len(body), r.PostForm)
		case refused != nil && !slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}, refused.status):
			t.Errorf("%q is answered with %d", kind, refused.status)
		}
	})
}

// newQuiet returns pages that reach nobody.
func newQuiet(f *testing.F) *UI {
	f.Helper()
	env := service.NewEnv("ui", map[string]string{
		"REDIS_URL": "redis://127.0.0.1:1", "OTP_URL": "http://a:b@127.0.0.1:1", "REGISTER_URL": "http://a:b@127.0.0.1:1",
	}, slog.New(slog.DiscardHandler))
	cfg, err := ReadConfig(env)
	if err != nil {
		f.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	f.Cleanup(func() { _ = client.Close() })
	u, err := New(client, &Gateways{}, cfg, env)
	if err != nil {
		f.Fatal(err)
	}
	return u
}
