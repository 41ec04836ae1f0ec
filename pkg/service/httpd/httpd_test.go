package httpd_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/clientip"
	"matriq/pkg/rpc"
	"matriq/pkg/service/httpd"
)

// site is a router under the whole chain, with what it logged and counted.
type site struct {
	http.Handler
	log     *bytes.Buffer
	metrics *prometheus.Registry
	meta    rpc.Meta // what the last handler saw
}

func newSite(t *testing.T) *site {
	t.Helper()
	trusted, err := clientip.Parse("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := httpd.ParseHosts("https://reg.example.ac.th", "")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{log: new(bytes.Buffer), metrics: prometheus.NewRegistry()}
	r := chi.NewRouter()
	r.Use(httpd.Chain(httpd.Options{
		Service: "ui", Log: slog.New(slog.NewJSONHandler(s.log, nil)),
		Metrics: s.metrics, Trusted: trusted, Hosts: hosts,
	})...)
	r.Get("/register/{id}", func(_ http.ResponseWriter, r *http.Request) { s.meta = rpc.MetaFrom(r.Context()) })
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	r.Get("/panic-late", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic("boom")
	})
	s.Handler = r
	return s
}

func request(t *testing.T, path string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://reg.example.ac.th"+path, nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	return r
}

func (s *site) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *site) logged(t *testing.T, msg string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(s.log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["msg"] == msg {
			found = append(found, record)
		}
	}
	return found
}

func TestChain_LogsAndCountsByRoute(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer(request(t, "/register/69000001?email=a@x.th"))
	s.answer(request(t, "/made/up/by/a/stranger"))
	lines := s.logged(t, "request")
	if len(lines) != 2 || lines[0]["route"] != "/register/{id}" || lines[1]["route"] != "none" {
		t.Errorf("access log = %v, want one line for /register/{id} and one for none", lines)
	}
	if strings.Contains(s.log.String(), "a@x.th") || strings.Contains(s.log.String(), "69000001") {
		t.Errorf("the log repeats what was typed: %s", s.log)
	}
	want := `
# HELP matriq_http_requests_total HTTP requests answered, by method, route and status.
# TYPE matriq_http_requests_total counter
matriq_http_requests_total{method="GET",route="/register/{id}",service="ui",status="200"} 1
matriq_http_requests_total{method="GET",route="none",service="ui",status="404"} 1
`
	if err := testutil.GatherAndCompare(s.metrics, strings.NewReader(want), "matriq_http_requests_total"); err != nil {
		t.Error(err)
	}
}

// The pages are on the standard library's mux.
func TestMeasure_CountsByRoute(t *testing.T) {
	t.Parallel()
	mux, metrics := http.NewServeMux(), prometheus.NewRegistry()
	mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/static/{file}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", http.NotFound)
	handler := httpd.NewRequests("ui", metrics).Measure(mux)
	for _, path := range []string{"/", "/static/a.css", "/static/b.css", "/made/up/by/a/stranger"} {
		handler.ServeHTTP(httptest.NewRecorder(), request(t, path))
	}
	want := `
# HELP matriq_http_requests_total HTTP requests answered, by method, route and status.
# TYPE matriq_http_requests_total counter
matriq_http_requests_total{method="GET",route="/",service="ui",status="200"} 1
matriq_http_requests_total{method="GET",route="/static/{file}",service="ui",status="200"} 2
matriq_http_requests_total{method="GET",route="none",service="ui",status="404"} 1
`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "matriq_http_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestChain_MetaOfTheRequest(t *testing.T) {
	t.Parallel()
	const fromEdge = "edge-0123456789"
	for name, tc := range map[string]struct {
		peer, sent, wantIP string
		kept               bool
	}{
		"the edge's ID is kept":        {"10.0.0.1:1", fromEdge, "203.0.113.9", true},
		"a stranger's is not":          {"198.51.100.1:1", fromEdge, "198.51.100.1", false},
		"none is made":                 {"10.0.0.1:1", "", "203.0.113.9", false},
		"a malformed one is replaced":  {"10.0.0.1:1", "x\" y=1 and more", "203.0.113.9", false},
		"an endless one is replaced":   {"10.0.0.1:1", strings.Repeat("a", 65), "203.0.113.9", false},
		"one that is short is as well": {"10.0.0.1:1", "1", "203.0.113.9", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := newSite(t), request(t, "/register/1")
			r.RemoteAddr = tc.peer
			r.Header.Set(httpd.HeaderRequestID, tc.sent)
			id := s.answer(r).Header().Get(httpd.HeaderRequestID)
			if (id == tc.sent) != tc.kept || len(id) < 8 {
				t.Errorf("request ID = %q after %q was sent", id, tc.sent)
			}
			if s.meta.RequestID != id || s.meta.ClientIP != tc.wantIP {
				t.Errorf("meta = %+v, want ID %s and address %s", s.meta, id, tc.wantIP)
			}
		})
	}
}

func TestChain_Panic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if w := s.answer(request(t, "/panic")); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("answer = %d %q, want 500 without the cause", w.Code, w.Body)
	}
	if lines := s.logged(t, "panic in a handler"); len(lines) != 1 || lines[0]["panic"] != "boom" {
		t.Errorf("log = %v, want the panic once", lines)
	}
	if lines := s.logged(t, "request"); len(lines) != 1 || lines[0]["status"] != 500. {
		t.Errorf("access log = %v, want one line with 500", lines)
	}
}

// A client must not take half an answer for the whole.
func TestChain_PanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
			t.Errorf("recovered %v, want http.ErrAbortHandler", cause)
		}
		if lines := s.logged(t, "panic in a handler"); len(lines) != 1 {
			t.Errorf("log = %v, want the panic once", lines)
		}
	}()
	s.answer(request(t, "/panic-late"))
}

func TestChain_Hosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]int{
		"reg.example.ac.th":      http.StatusOK,
		"REG.example.ac.th.":     http.StatusOK,
		"reg.example.ac.th:8443": http.StatusOK,
		"evil.example":           http.StatusMisdirectedRequest,
		"reg.example.ac.th.evil": http.StatusMisdirectedRequest,
		"203.0.113.80":           http.StatusMisdirectedRequest,
		"":                       http.StatusMisdirectedRequest,
		// Not a port.
		"reg.example.ac.th:1.evil": http.StatusMisdirectedRequest,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			s, r := newSite(t), request(t, "/register/1")
			r.Host = host
			if w := s.answer(r); w.Code != want {
				t.Errorf("answer to host %q = %d, want %d", host, w.Code, want)
			}
		})
	}
}

func TestParseHosts(t *testing.T) {
	t.Parallel()
	hosts, err := httpd.ParseHosts("http://127.0.0.1:8080", "Localhost:8080, [::1]:8080,")
	if err != nil || len(hosts) != 3 || !hosts["127.0.0.1"] || !hosts["localhost"] || !hosts["::1"] {
		t.Errorf("ParseHosts = %v, %v", hosts, err)
	}
	for _, bad := range [][2]string{{"reg.example.ac.th", ""}, {"ftp://x", ""}, {"", "https://x"}, {"", "*.x"}} {
		if hosts, err := httpd.ParseHosts(bad[0], bad[1]); err == nil {
			t.Errorf("ParseHosts(%q) = %v, want an error", bad, hosts)
		}
	}
}
