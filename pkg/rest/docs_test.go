package rest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"matriq/pkg/rest/resttest"
)

func TestDescription(t *testing.T) {
	t.Parallel()
	resttest.Description(t, newBench(t), map[string]string{
		"/echo": "post", "/things/{id}": "get", "/upload": "post",
	})
}

func get(t *testing.T, h http.Handler, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	response := w.Result()
	t.Cleanup(func() {
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	})
	return response
}

var (
	links   = regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	foreign = regexp.MustCompile(`(?i)https?://|"//|url\(\s*['"]?//`)
	inline  = regexp.MustCompile(`(?is)<script[^>]*>\s*[^<\s]|<style|\son[a-z]+=|javascript:`)
)

// The page and all it loads come from this server, and its policy allows nothing
// else: it works without a network, and nobody else can put a script into it.
func TestDocs_WorkOffline(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{"/docs", "/docs/"} {
		page := get(t, b, path) //nolint:bodyclose // get closes it
		body := text(t, page)
		if page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
			t.Fatalf("%s = %s %s", path, page.Status, page.Header.Get("Content-Type"))
		}
		if foreign.MatchString(body) || inline.MatchString(body) {
			t.Errorf("%s has a foreign URL or inline script: %s", path, body)
		}
		found := links.FindAllStringSubmatch(body, -1)
		if len(found) < 4 {
			t.Fatalf("%s links to %d files", path, len(found))
		}
		for _, link := range found {
			file := get(t, b, link[1]) //nolint:bodyclose // get closes it
			if content := text(t, file); file.StatusCode != http.StatusOK || content == "" {
				t.Errorf("%s = %s, %d bytes", link[1], file.Status, len(content))
			}
		}
		wantPolicy(t, page.Header.Get("Content-Security-Policy"))
	}
	if start := text(t, get(t, b, "/docs/start.js")); foreign.MatchString(start) || !strings.Contains(start, `"/openapi.json"`) { //nolint:bodyclose // get closes it
		t.Errorf("start.js: %s", start)
	}
}

func wantPolicy(t *testing.T, policy string) {
	t.Helper()
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("policy %q lacks %s", policy, directive)
		}
	}
	if scripts := regexp.MustCompile(`script-src [^;]*`).FindString(policy); strings.Contains(scripts, "unsafe") || foreign.MatchString(policy) {
		t.Errorf("policy %q is too lenient", policy)
	}
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDocs_NothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{"/docs/index.html", "/docs/swagger-ui.js.gz", "/docs/../rest.go", "/docs/oauth2-redirect.html"} {
		if r := get(t, b, path); r.StatusCode != http.StatusNotFound || r.Header.Get("Content-Type") != "application/problem+json" { //nolint:bodyclose // get closes it
			t.Errorf("%s = %s %s, want a problem 404", path, r.Status, r.Header.Get("Content-Type"))
		}
	}
}
