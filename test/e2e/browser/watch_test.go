package browser_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matriq/pkg/testenv"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// serve is a site of one page with a policy, and an icon, which browsers ask
// for unasked.
func serve(t *testing.T, policy, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write([]byte("<!doctype html><title>t</title>" + body))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func start(t *testing.T, o browser.Options) *browser.Browser {
	t.Helper()
	o.Path = testenv.Chromium(t)
	b, err := browser.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

const (
	open   = "default-src * 'unsafe-inline'"
	closed = "default-src 'none'; img-src 'self'"
)

func TestFaults_None(t *testing.T) {
	t.Parallel()
	site := serve(t, closed, "<p>nothing")
	b := start(t, browser.Options{Origins: []string{site}})
	if err := b.Open(site); err != nil {
		t.Fatal(err)
	}
	if faults, err := b.Faults(); err != nil || len(faults) > 0 {
		t.Errorf("noted %q (%v) behind an innocent page", faults, err)
	}
}

// Each thing that must not happen behind a page is noted.
func TestFaults(t *testing.T) {
	t.Parallel()
	b := start(t, browser.Options{})
	other := serve(t, open, "")
	for name, c := range map[string]struct{ policy, body, want string }{ //nolint:paralleltest // one browser sees one page after the other
		"console":        {policy: open, body: "<script>console.error('oh dear')</script>", want: "oh dear"},
		"warning":        {policy: open, body: "<script>console.warn('mind you')</script>", want: "mind you"},
		"exception":      {policy: open, body: "<script>noSuchThing()</script>", want: "noSuchThing is not defined"},
		"rejection":      {policy: open, body: "<script>Promise.reject(new Error('broken'))</script>", want: "broken"},
		"missing file":   {policy: open, body: "<img src=/none.png alt=none>", want: "404"},
		"inline style":   {policy: closed, body: "<p style='color: red'>x", want: "policy violation: style-src"},
		"inline script":  {policy: closed, body: "<script>1</script>", want: "policy violation: script-src"},
		"foreign file":   {policy: open, body: "<img src=" + other + "/ alt=foreign>", want: "request to another origin: " + other},
		"foreign script": {policy: open, body: "<script>fetch('http://matriq.test/')</script>", want: "request to another origin: http://matriq.test/"},
	} {
		site := serve(t, c.policy, c.body)
		b.Allow(site)
		t.Run(name, func(t *testing.T) {
			if err := b.Open(site); err != nil {
				t.Fatal(err)
			}
			if noted, err := waitFault(t, b, c.want); err != nil {
				t.Errorf("noted %q (%v), want %q", noted, err, c.want)
			}
		})
	}
}

// waitFault returns all that is noted until what is wanted is among it.
func waitFault(t *testing.T, b *browser.Browser, want string) (noted string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = harness.Poll(ctx, func() bool {
		faults, err := b.Faults()
		noted += strings.Join(faults, "\n")
		return err == nil && strings.Contains(noted, want)
	})
	return noted, err
}

// Without JavaScript a page runs no script and shows what it has instead.
func TestNoScript(t *testing.T) {
	t.Parallel()
	site := serve(t, open, "<script>document.title = 'ran'</script><noscript><p id=instead>instead</noscript>")
	for title, want := range map[string]struct {
		off  bool
		text string
	}{
		"ran": {off: false, text: "null"},
		"t":   {off: true, text: `"instead"`},
	} {
		b := start(t, browser.Options{NoScript: want.off, Origins: []string{site}})
		if err := b.Open(site); err != nil {
			t.Fatal(err)
		}
		got, err := b.Eval(`document.title`)
		if err != nil || string(got) != `"`+title+`"` {
			t.Errorf("title is %s (%v), want %s", got, err, title)
		}
		got, err = b.Eval(`document.querySelector("#instead")?.innerText ?? null`)
		if err != nil || string(got) != want.text {
			t.Errorf("the page without scripts has %s (%v), want %s", got, err, want.text)
		}
	}
}
