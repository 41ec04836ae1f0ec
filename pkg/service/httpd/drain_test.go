package httpd_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"matriq/pkg/service/httpd"
)

// The client writes more than a connection holds: it must have come to its end, or
// be given the time to look, before the connection is closed.
func TestDrain_RefusedClientReadsWhy(t *testing.T) {
	t.Parallel()
	refuse := httptest.NewServer(httpd.Drain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/leaving" {
			w.Header().Set("Connection", "close")
		}
		http.Error(w, "no", http.StatusForbidden)
	})))
	t.Cleanup(refuse.Close)
	for name, path := range map[string]string{"the client ends it": "/", "the server ends it": "/leaving"} {
		for _, told := range []bool{true, false} {
			for size, times := range map[int]int{70_000: 100, 250_000: 100, 1 << 20: 3} {
				t.Run(fmt.Sprintf("%s, %d bytes, told: %v", name, size, told), func(t *testing.T) {
					t.Parallel()
					for range times {
						wantForbidden(t, refuse.URL+path, size, told, path == "/")
					}
				})
			}
		}
	}
}

func wantForbidden(t *testing.T, url string, size int, told, ends bool) {
	t.Helper()
	r := upload(t, url, size)
	if !told {
		r.ContentLength = -1
	}
	r.Close = ends
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	a, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close() // it is only read
	if text, err := io.ReadAll(a.Body); a.StatusCode != http.StatusForbidden || string(text) != "no\n" || err != nil {
		t.Fatalf("answer = %d %q, %v; want 403 with its text", a.StatusCode, text, err)
	}
}

func TestDrain_SendsNobodyOn(t *testing.T) {
	t.Parallel()
	refuse := httptest.NewServer(httpd.Drain(http.NotFoundHandler()))
	t.Cleanup(refuse.Close)
	r := upload(t, refuse.URL, 70_000)
	r.Header.Set("Expect", "100-continue")
	invited := false
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	trace := &httptrace.ClientTrace{Got100Continue: func() { invited = true }}
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	a, err := transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close() // it is only read
	if a.StatusCode != http.StatusNotFound || invited {
		t.Errorf("answer = %d, told to send the body: %v; want 404 alone", a.StatusCode, invited)
	}
}

func upload(t *testing.T, url string, size int) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(strings.Repeat("x", size)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
