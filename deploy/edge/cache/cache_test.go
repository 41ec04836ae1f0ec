package cache

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestLifetime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		header map[string]string
		want   time.Duration
	}{
		"public":              {200, map[string]string{"Cache-Control": "public, max-age=300"}, 300 * time.Second},
		"in capitals":         {200, map[string]string{"Cache-Control": "Public,Max-Age=300"}, 300 * time.Second},
		"for shared caches":   {200, map[string]string{"Cache-Control": "public, max-age=300, s-maxage=60"}, time.Minute},
		"has an age":          {200, map[string]string{"Cache-Control": "public, max-age=300", "Age": "100"}, 200 * time.Second},
		"too old":             {200, map[string]string{"Cache-Control": "public, max-age=300", "Age": "400"}, 0},
		"not public":          {200, map[string]string{"Cache-Control": "max-age=300"}, 0},
		"private":             {200, map[string]string{"Cache-Control": "public, private, max-age=300"}, 0},
		"not to be stored":    {200, map[string]string{"Cache-Control": "public, max-age=300, no-store"}, 0},
		"to be asked":         {200, map[string]string{"Cache-Control": "public, no-cache"}, 0},
		"no age":              {200, map[string]string{"Cache-Control": "public"}, 0},
		"a silly age":         {200, map[string]string{"Cache-Control": "public, max-age=soon"}, 0},
		"nothing said":        {200, nil, 0},
		"a redirect":          {302, map[string]string{"Cache-Control": "public, max-age=300"}, 0},
		"a failure":           {500, map[string]string{"Cache-Control": "public, max-age=300"}, 0},
		"with a cookie":       {200, map[string]string{"Cache-Control": "public, max-age=300", "Set-Cookie": "a=b"}, 0},
		"varies as keyed":     {200, map[string]string{"Cache-Control": "public, max-age=300", "Vary": "accept-encoding, Accept-Language"}, 300 * time.Second},
		"varies by cookie":    {200, map[string]string{"Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding, Cookie"}, 0},
		"varies by all":       {200, map[string]string{"Cache-Control": "public, max-age=300", "Vary": "*"}, 0},
		"of no known length":  {200, map[string]string{"Cache-Control": "public, max-age=300", "Content-Length": ""}, 0},
		"longer than allowed": {200, map[string]string{"Cache-Control": "public, max-age=300", "Content-Length": "9999999"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Length": {"10"}}
			for k, v := range tc.header {
				header.Set(k, v)
			}
			if got := lifetime(tc.status, header); got != tc.want {
				t.Errorf("lifetime = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "deflate, GZIP;q=0.5": "gzip", "gzip;q=0": "", "gzip; q=0.000": "", "br, zstd": "", "x-gzip": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		if got := encoding(r); got != want {
			t.Errorf("encoding of %q = %q, want %q", accept, got, want)
		}
	}
}

// The bounds hold, and what was asked for last stays.
func TestStore_Bounds(t *testing.T) {
	t.Parallel()
	few := newStore(3, 1<<20)
	for i := range 10 {
		few.put("kept", &answer{})
		few.put(strconv.Itoa(i), &answer{})
	}
	if few.order.Len() != 3 || few.get("kept") == nil || few.get("9") == nil || few.get("0") != nil {
		t.Errorf("%d answers, want 3 and the newest", few.order.Len())
	}
	small := newStore(1000, 10_000)
	for i := range 100 {
		small.put(strconv.Itoa(i), &answer{body: make([]byte, 1000), header: http.Header{"A": {"b"}}})
	}
	if small.bytes > 10_000 || small.order.Len() < 9 || small.order.Len() != len(small.byKey) {
		t.Errorf("%d bytes in %d answers, want 10000 at most", small.bytes, small.order.Len())
	}
	small.put("too long", &answer{body: make([]byte, 20_000)})
	if small.bytes != 0 || small.get("too long") != nil {
		t.Errorf("%d bytes after an answer that does not fit", small.bytes)
	}
}

// site is a handler before an upstream that the test changes.
type site struct {
	*Handler
	upstream func(http.ResponseWriter, *http.Request) error
	asked    atomic.Int64
}

func newSite(t *testing.T, stale time.Duration) *site {
	t.Helper()
	s := &site{Handler: &Handler{Stale: caddy.Duration(stale)}}
	if err := s.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) get(t *testing.T) (*httptest.ResponseRecorder, error) {
	t.Helper()
	w := httptest.NewRecorder()
	err := s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		s.asked.Add(1)
		return s.upstream(w, r)
	}))
	return w, err
}

func publish(body string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, err := io.WriteString(w, body)
		return err
	}
}

// An answer is given until its end; then, while the upstream fails, for a while
// longer, and the upstream is not asked by everybody.
func TestHandler_Stale(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]func(http.ResponseWriter, *http.Request) error{
		"nobody there": func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusBadGateway, errors.New("no upstream"))
		},
		"an answer of failure": func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, time.Hour)
				s.upstream = publish("first")
				give := func(after time.Duration, body string, asked int64) {
					t.Helper()
					time.Sleep(after) //nolint:forbidigo // the clock is synctest's
					w, err := s.get(t)
					if err != nil || w.Code != 200 || w.Body.String() != body || s.asked.Load() != asked || w.Header().Get("Retry-After") != "" {
						t.Errorf("%d %q, %v, header %v, after %d requests; want %q after %d", w.Code, w.Body, err, w.Header(), s.asked.Load(), body, asked)
					}
				}
				give(0, "first", 1)
				give(59*time.Second, "first", 1)
				s.upstream = failing
				give(2*time.Second, "first", 2) // asked, failed
				give(time.Second, "first", 2)   // left alone
				give(pause, "first", 3)
				s.upstream = publish("second")
				give(pause, "second", 4)
				s.upstream = failing
				time.Sleep(2 * time.Hour) //nolint:forbidigo // the clock is synctest's
				if w, err := s.get(t); err == nil && w.Code == 200 {
					t.Errorf("after two hours: %d %q, want the failure", w.Code, w.Body)
				}
			})
		})
	}
}

// Of a crowd one fetches; what may not be kept each fetches after that.
func TestHandler_Crowd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		control string
		asked   int64
	}{"public": {"public, max-age=60", 1}, "private": {"private", 20}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, release := newSite(t, 0), make(chan struct{})
				s.upstream = func(w http.ResponseWriter, _ *http.Request) error {
					<-release
					w.Header().Set("Cache-Control", tc.control)
					w.Header().Set("Content-Length", "4")
					_, err := io.WriteString(w, "page")
					return err
				}
				var crowd sync.WaitGroup
				for range 20 {
					crowd.Go(func() {
						if w, err := s.get(t); err != nil || w.Body.String() != "page" {
							t.Errorf("%q, %v, want the page", w.Body, err)
						}
					})
				}
				synctest.Wait()
				if s.asked.Load() != 1 {
					t.Errorf("%d go at once, want one", s.asked.Load())
				}
				close(release)
				crowd.Wait()
				if s.asked.Load() != tc.asked {
					t.Errorf("%d went, want %d", s.asked.Load(), tc.asked)
				}
			})
		})
	}
}

// When the one who fetches for all is cut off, the next fetches.
func TestHandler_FetchBreaks(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0)
	s.upstream = func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the server")
			}
		}()
		_, _ = s.get(t)
	}()
	s.upstream = publish("page")
	if w, err := s.get(t); err != nil || w.Body.String() != "page" {
		t.Errorf("%q, %v, want the page", w.Body, err)
	}
}

func TestHandler_Caddyfile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cache {\n max_entries 10\n max_bytes 1MiB\n stale 1h\n}": "",
		"cache":                       "",
		"cache {\n max_entries 0\n}":  "more than 0",
		"cache {\n max_bytes lots\n}": "max_bytes lots",
		"cache {\n stale soon\n}":     "stale soon",
		"cache {\n size 1\n}":         "cache has no size",
		"cache {\n max_entries\n}":    "rgument",
	} {
		h := &Handler{}
		err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if strings.Contains(text, "1h") && (h.MaxEntries != 10 || h.MaxBytes != 1<<20 || h.Stale != caddy.Duration(time.Hour)) {
			t.Errorf("%q: %+v", text, h)
		}
	}
}
