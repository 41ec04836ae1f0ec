package ui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// discard is an answer of which nobody reads the body.
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

// BenchmarkJourney measures the seven requests of a registration without
// JavaScript. The gateways and Redis of the tests are in the same process, so that
// only differences between two versions tell anything.
func BenchmarkJourney(b *testing.B) {
	handler := newSite(b, nil).handler
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		cookie := ""
		send := func(method, target, body string) *discard {
			r := httptest.NewRequestWithContext(b.Context(), method, "https://register.example.ac.th"+target, strings.NewReader(body))
			r.Header.Set("Accept-Language", "th")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", cookie)
			w := &discard{header: http.Header{}}
			handler.ServeHTTP(w, r)
			if set := w.header.Get("Set-Cookie"); set != "" {
				cookie, _, _ = strings.Cut(set, ";")
			}
			return w
		}
		send(http.MethodGet, "/", "")
		for _, form := range [][2]string{
			{"/", fmt.Sprintf("email=a%d%%40example.ac.th", n)}, {"/authen", "otp=" + rightCode}, {"/reg", "firstname=Somchai&lastname=Jaidee"},
		} {
			send(http.MethodGet, send(http.MethodPost, form[0], form[1]).header.Get("Location"), "")
		}
	}
}
