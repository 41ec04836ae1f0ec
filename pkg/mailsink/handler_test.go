package mailsink_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"matriq/pkg/mailsink"
)

const hostile = "From: a@x.th\r\nSubject: <script>s()</script>\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\n<script>t()</script>\r\n" +
	"--b\r\nContent-Type: text/html\r\n\r\n<p>hello</p><script>h()</script>\r\n--b--\r\n"

func TestHandler_api(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	c := dial(t, serve(t, sink))
	if got := get(t, sink, "/api/messages").Body.String(); got != "[]" {
		t.Errorf("an empty inbox answers %s, want []", got)
	}
	send(t, c, "a+b@x.th", plain("one", "first"))
	send(t, c, "a+b@x.th", plain("two", "second"))
	send(t, c, "c@x.th", plain("three", "third"))
	w := get(t, sink, "/api/messages?to=a%2Bb@x.th")
	var got []map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0]["subject"] != "two" || got[1]["subject"] != "one" {
		t.Fatalf("got %v, want two and one", got)
	}
	for _, key := range []string{"to", "subject", "text", "html", "lang", "received_at"} {
		if _, ok := got[0][key].(string); !ok {
			t.Errorf("%s is %v, want a string", key, got[0][key])
		}
	}
	if len(got[0]) != 6 {
		t.Errorf("%d fields, want 6: %v", len(got[0]), got[0])
	}
	at, _ := got[0]["received_at"].(string)
	if _, err := time.Parse(time.RFC3339, at); err != nil {
		t.Error(err)
	}
}

// A hostile mail shows as text, and its HTML only in a sandbox.
func TestHandler_pages(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	send(t, dial(t, serve(t, sink)), "a@x.th", hostile)
	for target, want := range map[string]string{
		"/":            `href="/message/1"`,
		"/?to=a@x.th":  `href="/message/1"`,
		"/?to=b@x.th":  "No mail yet",
		"/?pause":      "Refresh every",
		"/message/1":   `<iframe src="/message/1/html" sandbox `,
		"/?to=<b>&x=1": "&lt;b&gt;",
	} {
		w := get(t, sink, target)
		body := w.Body.String()
		if w.Code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s = %d without %s", target, w.Code, want)
		}
		if strings.Contains(body, "<script") {
			t.Errorf("%s holds a script of the mail", target)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s has the policy %q", target, csp)
		}
	}
	w := get(t, sink, "/message/1/html")
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox; default-src 'none'") {
		t.Errorf("the mail has the policy %q", csp)
	}
	if !strings.Contains(w.Body.String(), "<p>hello</p>") {
		t.Errorf("the mail is %q", w.Body.String())
	}
	for target, code := range map[string]int{"/message/2": 404, "/message/x": 404, "/message/0/html": 404, "/x": 404, "/style.css": 200} {
		if w := get(t, sink, target); w.Code != code {
			t.Errorf("%s = %d, want %d", target, w.Code, code)
		}
	}
}
