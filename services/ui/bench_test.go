package ui_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (d *discard) Header() http.Header { return d.header }

// Write implements [http.ResponseWriter].
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (d *discard) WriteHeader(int) {}

// BenchmarkFront measures what the first page costs beyond net/http's own work.
func BenchmarkFront(b *testing.B) {
	handler := newSite(b, nil).handler
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "https://register.example.ac.th/", nil)
	r.Header.Set("Accept-Language", "th")
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(&discard{header: http.Header{}}, r)
	}
}
