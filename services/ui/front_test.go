package ui_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The plain address is served ahead of the others; a question that nobody asks goes
// the way of all requests. Nobody outside can tell the two apart.
func TestFront_AheadIsAsAllOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"TRUSTED_PROXIES": "192.0.2.0/24"}) // httptest's peer
	for name, c := range map[string]struct {
		method string
		header map[string]string
		status int
	}{
		"browser":          {http.MethodGet, map[string]string{"Accept-Encoding": "gzip, br", "Accept-Language": "th"}, http.StatusOK},
		"plain":            {http.MethodGet, nil, http.StatusOK},
		"head":             {http.MethodHead, nil, http.StatusOK},
		"has it":           {http.MethodGet, map[string]string{"If-None-Match": "*"}, http.StatusNotModified},
		"other host":       {http.MethodGet, map[string]string{"Host": "elsewhere.example"}, http.StatusMisdirectedRequest},
		"no such method":   {http.MethodDelete, nil, http.StatusMethodNotAllowed},
		"from another":     {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusOK},
		"edge gives an ID": {http.MethodGet, map[string]string{"X-Request-Id": "edge-0123456789"}, http.StatusOK},
		"stranger's ID":    {http.MethodGet, map[string]string{"X-Request-Id": "no ID"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.browser(t)
			ahead, other := b.send(c.method, "/", nil, c.header), b.send(c.method, "/?q", nil, c.header)
			if ahead.StatusCode != c.status || other.StatusCode != c.status {
				t.Fatalf("ahead %d, the others' way %d; want %d", ahead.StatusCode, other.StatusCode, c.status)
			}
			id, otherID := ahead.Header.Get("X-Request-Id"), other.Header.Get("X-Request-Id")
			if given := strings.HasPrefix(c.header["X-Request-Id"], "edge-"); id == "" || given != (id == otherID) {
				t.Errorf("request IDs %q ahead, %q on the others' way", id, otherID)
			}
			ahead.Header.Del("X-Request-Id")
			other.Header.Del("X-Request-Id")
			if c.status < http.StatusBadRequest && (!reflect.DeepEqual(ahead.Header, other.Header) || ahead.text != other.text) {
				t.Errorf("ahead:\n%v\n%s\nthe others' way:\n%v\n%s", ahead.Header, ahead.text, other.Header, other.text)
			}
		})
	}
}

func TestFront_IsCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	for path, times := range map[string]int{"/": 3, "/?lang=th": 2} {
		for range times {
			b.send(http.MethodGet, path, nil, nil)
		}
	}
	b.send(http.MethodGet, "/", nil, map[string]string{"If-None-Match": "*"})
	want := `
# HELP matriq_http_requests_total HTTP requests answered, by method, route and status.
# TYPE matriq_http_requests_total counter
matriq_http_requests_total{method="GET",route="/",service="ui",status="200"} 5
matriq_http_requests_total{method="GET",route="/",service="ui",status="304"} 1
# HELP matriq_http_requests_in_flight HTTP requests being answered.
# TYPE matriq_http_requests_in_flight gauge
matriq_http_requests_in_flight{service="ui"} 0
`
	if err := testutil.GatherAndCompare(s.metrics, strings.NewReader(want), "matriq_http_requests_total", "matriq_http_requests_in_flight"); err != nil {
		t.Error(err)
	}
}
