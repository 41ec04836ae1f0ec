package ui_test

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/service"
	"matriq/services/ui"
)

// site is the pages on a Redis and gateways of their own.
type site struct {
	handler  http.Handler
	gateways *fakeGateways
	redis    *miniredis.Miniredis
	log      *lockedBuffer
	metrics  *prometheus.Registry // of the first replica
}

// newSite starts a site whose settings are altered by vars.
func newSite(tb testing.TB, vars map[string]string) *site {
	tb.Helper()
	s := &site{gateways: newFakeGateways(tb), redis: miniredis.RunT(tb), log: &lockedBuffer{}}
	s.handler = s.replica(tb, vars)
	return s
}

// replica starts another instance of the pages on the same Redis and gateways.
func (s *site) replica(tb testing.TB, vars map[string]string) http.Handler {
	tb.Helper()
	gateway := strings.Replace(s.gateways.URL, "://", "://"+client+":"+phrase+"@", 1)
	settings := map[string]string{
		"REDIS_URL": "redis://" + s.redis.Addr(), "OTP_URL": gateway, "REGISTER_URL": gateway,
		"PUBLIC_ORIGIN": "https://register.example.ac.th", "GATEWAY_TIMEOUT": "5s",
	}
	maps.Copy(settings, vars)
	env := service.NewEnv("ui", settings, slog.New(slog.NewJSONHandler(s.log, nil)))
	cfg, err := ui.ReadConfig(env)
	if err != nil {
		tb.Fatal(err)
	}
	gateways, err := ui.NewGateways(cfg, env)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(gateways.Close)
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr(), MaxRetries: -1})
	tb.Cleanup(func() { _ = client.Close() })
	pages, err := ui.New(client, gateways, cfg, env)
	if err != nil {
		tb.Fatal(err)
	}
	if s.metrics == nil {
		s.metrics = env.Metrics
	}
	return pages.Handler()
}

// browser is a person's browser: it keeps cookies, says where its requests come
// from, and follows redirects when asked to.
type browser struct {
	t       *testing.T
	handler http.Handler
	header  map[string]string
	cookies map[string]string
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	return &browser{t: t, handler: s.handler, header: map[string]string{"Accept-Language": "en"}, cookies: map[string]string{}}
}

// page is one answer.
type page struct {
	StatusCode int
	Header     http.Header
	path, text string
}

// Cookies are those that p sets.
func (p page) Cookies() []*http.Cookie { return (&http.Response{Header: p.Header}).Cookies() }

// send makes one request.
func (b *browser) send(method, path string, form url.Values, header map[string]string) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, body)
	r.Host = "register.example.ac.th"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, h := range []map[string]string{b.header, header} {
		for name, value := range h {
			r.Header.Set(name, value)
		}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // what a browser sends has no attributes
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	p := page{StatusCode: w.Code, Header: w.Header(), path: path, text: w.Body.String()}
	for _, c := range p.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return p
}

// get opens path and follows redirects.
func (b *browser) get(path string) page {
	b.t.Helper()
	return b.follow(b.send(http.MethodGet, path, nil, nil))
}

// post sends a form, wants a redirect, and follows it.
func (b *browser) post(path string, fields ...string) page {
	b.t.Helper()
	res := b.send(http.MethodPost, path, form(fields...), nil)
	if res.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("POST %s = %d, want 303\n%s", path, res.StatusCode, res.text)
	}
	return b.follow(res)
}

func (b *browser) follow(p page) page {
	b.t.Helper()
	for range 5 {
		to := p.Header.Get("Location")
		if to == "" {
			return p
		}
		if !strings.HasPrefix(to, "/") {
			b.t.Fatalf("%s leads to %q, want a path of this site", p.path, to)
		}
		p = b.send(http.MethodGet, to, nil, nil)
	}
	b.t.Fatalf("redirects without end at %s", p.path)
	return p
}

// token is the cookie of the session.
func (b *browser) token() string { return b.cookies["__Host-sid"] }

// toCode, toNames and toDone go as far as these pages.
func (b *browser) toCode(email string) page {
	b.t.Helper()
	return b.post("/", "email", email).at(b.t, "/authen")
}

func (b *browser) toNames(email string) page {
	b.t.Helper()
	b.toCode(email)
	return b.post("/authen", "otp", rightCode).at(b.t, "/reg")
}

func (b *browser) toDone(email string) page {
	b.t.Helper()
	b.toNames(email)
	return b.post("/reg", "firstname", "Somchai", "lastname", "Jaidee").at(b.t, "/done")
}

// at wants p to be the page of path.
func (p page) at(t *testing.T, path string) page {
	t.Helper()
	if got, _, _ := strings.Cut(p.path, "?"); got != path || p.StatusCode != http.StatusOK {
		t.Fatalf("at %s (%d), want %s\n%s", p.path, p.StatusCode, path, p.text)
	}
	return p
}

// says wants every text in p.
func (p page) says(t *testing.T, texts ...string) page {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			t.Errorf("%s does not say %q\n%s", p.path, text, p.text)
		}
	}
	return p
}

var journeyInput = regexp.MustCompile(`name="journey" value="([^"]+)"`)

// journey is what the forms of p say they belong to.
func (p page) journey(t *testing.T) string {
	t.Helper()
	m := journeyInput.FindStringSubmatch(p.text)
	if m == nil {
		t.Fatalf("%s has no form of a journey\n%s", p.path, p.text)
	}
	return m[1]
}

func form(fields ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return values
}

// lockedBuffer takes the log of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
