package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"matriq/pkg/clientip"
	"matriq/pkg/rest"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, path string
		status       int
		reason       string
		allow        string
	}{
		"without a slash":            {"POST", "/echo", 200, "", ""},
		"with a slash":               {"POST", "/echo/", 200, "", ""},
		"a parameter":                {"GET", "/things/7", 200, "", ""},
		"a parameter and a slash":    {"GET", "/things/7/", 200, "", ""},
		"HEAD of a GET":              {"HEAD", "/things/7", 200, "", ""},
		"unknown":                    {"POST", "/nothing", 404, "not_found", ""},
		"two slashes":                {"POST", "/echo//", 404, "not_found", ""},
		"in another case":            {"POST", "/Echo", 404, "not_found", ""},
		"root":                       {"GET", "/", 404, "not_found", ""},
		"GET of a POST":              {"GET", "/echo", 405, "method_not_allowed", "POST"},
		"GET of a POST with a slash": {"GET", "/echo/", 405, "method_not_allowed", "POST"},
		"PUT":                        {"PUT", "/echo", 405, "method_not_allowed", "POST"},
		"DELETE":                     {"DELETE", "/things/7", 405, "method_not_allowed", "GET, HEAD"},
		"POST of a GET":              {"POST", "/things/7", 405, "method_not_allowed", "GET, HEAD"},
		"OPTIONS":                    {"OPTIONS", "/echo", 405, "method_not_allowed", "POST"},
		"TRACE":                      {"TRACE", "/echo", 405, "method_not_allowed", "POST"},
		"a made-up method":           {"BREW", "/echo", 405, "method_not_allowed", "POST"},
		"a made-up method, nowhere":  {"BREW", "/nothing", 404, "not_found", ""},
		"POST of the description":    {"POST", "/openapi.json", 405, "method_not_allowed", "GET, HEAD"},
		"another description":        {"GET", "/openapi.yaml", 404, "not_found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.answer(request(t, tc.method, tc.path, goodBody))
			if tc.status == http.StatusOK {
				if w.Code != http.StatusOK || b.calls.Load() != 1 {
					t.Errorf("answer = %d after %d runs, want 200 after one", w.Code, b.calls.Load())
				}
				return
			}
			wantProblem(t, w, tc.status, tc.reason)
			if got := w.Header().Get("Allow"); got != tc.allow {
				t.Errorf("Allow = %q, want %q", got, tc.allow)
			}
			if b.calls.Load() != 0 {
				t.Error("the operation ran")
			}
		})
	}
}

func TestHeadOfAPostChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if w := b.answer(request(t, http.MethodHead, "/echo", goodBody)); w.Code != http.StatusMethodNotAllowed || b.calls.Load() != 0 {
		t.Errorf("HEAD = %d after %d runs, want 405 after none", w.Code, b.calls.Load())
	}
}

func TestMeta(t *testing.T) {
	t.Parallel()
	trusted, err := clientip.Parse("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		peer, forwarded, languages string
		wantIP, wantLanguage       string
	}{
		"direct":                    {"203.0.113.9:1", "", "", "203.0.113.9", "en"},
		"through the edge":          {"10.0.0.1:1", "203.0.113.9", "th", "203.0.113.9", "th"},
		"spoofed through the edge":  {"10.0.0.1:1", "1.1.1.1, 203.0.113.9", "th-TH,en;q=0.5", "203.0.113.9", "th"},
		"spoofed by a stranger":     {"203.0.113.9:1", "1.1.1.1", "en-GB,th;q=0.9", "203.0.113.9", "en"},
		"a language we lack":        {"203.0.113.9:1", "", "fr", "203.0.113.9", "en"},
		"one we lack, then Thai":    {"203.0.113.9:1", "", "fr,th;q=0.4", "203.0.113.9", "th"},
		"any language":              {"203.0.113.9:1", "", "*", "203.0.113.9", "en"},
		"malformed":                 {"203.0.113.9:1", "", "th;q=x;;", "203.0.113.9", "en"},
		"endless":                   {"203.0.113.9:1", "", strings.Repeat("th,", 5000), "203.0.113.9", "en"},
		"malformed hop is the edge": {"10.0.0.1:1", "<script>", "", "10.0.0.1", "en"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(cfg *rest.Config) { cfg.TrustedProxies = trusted })
			r := request(t, http.MethodPost, "/echo", goodBody)
			r.RemoteAddr = tc.peer
			r.Header.Set("X-Forwarded-For", tc.forwarded)
			r.Header.Set("Accept-Language", tc.languages)
			w := b.answer(r)
			if b.meta.ClientIP != tc.wantIP || b.meta.Language != tc.wantLanguage {
				t.Errorf("meta = %+v, want %s and %s", b.meta, tc.wantIP, tc.wantLanguage)
			}
			if id := w.Header().Get("X-Request-Id"); id == "" || id != b.meta.RequestID {
				t.Errorf("request ID = %q in the answer, %q in the call", id, b.meta.RequestID)
			}
		})
	}
}

func TestAnswersNameTheReplica(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{"/echo", "/nothing"} {
		h := b.answer(request(t, http.MethodPost, path, goodBody)).Header()
		if h.Get("X-Served-By") != b.env.Instance || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers of %s = %v", path, h)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	cfg := gatewayConfig{}
	if err := read(map[string]string{
		"API_CLIENTS": "ui:correct horse battery:otp", "ALLOWED_HOSTS": "otp.example.ac.th, otp-gateway",
	}, &cfg); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(c *rest.Config) { c.AllowedHosts = cfg.REST.AllowedHosts })
	for host, want := range map[string]int{
		"otp.example.ac.th": 200, "otp-gateway:7002": 200, "evil.example": 421, "127.0.0.1": 421,
	} {
		r := request(t, http.MethodPost, "/echo", goodBody)
		r.Host = host
		w := b.answer(r)
		if w.Code != want {
			t.Errorf("host %s = %d, want %d", host, w.Code, want)
		}
		if want == http.StatusMisdirectedRequest {
			wantProblem(t, w, want, "misdirected")
		}
	}
}
