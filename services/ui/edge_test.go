package ui_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
)

// everyRoute is a path of each kind, with a method that it has.
func everyRoute() map[string]string {
	return map[string]string{
		"/": "GET", "/?lang=th": "GET", "/start": "GET", "/authen": "GET", "/reg": "GET", "/done": "GET", "/resend": "POST",
		"/leave": "POST", "/getotpui": "GET", "/authenui": "GET", "/regui": "GET", "/nope": "GET", "/favicon.ico": "GET",
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toNames(somchai)
	for path, method := range everyRoute() {
		p := b.send(method, path, nil, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
				"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"Strict-Transport-Security":  "max-age=31536000",
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := p.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if p.Header.Get("X-Served-By") == "" || p.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s does not say who served it, or which request it was", path)
		}
		if moved := p.Header.Get("Location") != ""; !moved && !strings.HasPrefix(path, "/?") && path != "/" {
			if got := p.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control is %q, want no-store", path, got)
			}
		}
	}
}

func TestNoTransportSecurityWithoutTLS(t *testing.T) {
	t.Parallel()
	b := newSite(t, map[string]string{"PUBLIC_ORIGIN": "http://localhost:8080"}).browser(t)
	if got := b.send(http.MethodGet, "/", nil, map[string]string{"Host": "localhost:8080"}).Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security is %q over plain HTTP", got)
	}
}

// The first page is for everybody: cacheable, compressed, without a cookie or a
// token, and the same however often it is asked for.
func TestFrontIsForEverybody(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	plain := b.get("/")
	b.toCode(somchai)
	again := b.send(http.MethodGet, "/", nil, nil)
	if again.text != plain.text {
		t.Error("the first page depends on the session")
	}
	if got := again.Header.Values("Set-Cookie"); len(got) > 0 {
		t.Errorf("it sets %v", got)
	}
	if strings.Contains(plain.text, `name="journey"`) {
		t.Error("it holds the ID of a journey")
	}
	if got := plain.Header.Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("Cache-Control is %q", got)
	}
	packed := b.send(http.MethodGet, "/", nil, map[string]string{"Accept-Encoding": "br, gzip;q=0.8"})
	r, err := gzip.NewReader(strings.NewReader(packed.text))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(r); err != nil || string(unpacked) != plain.text {
		t.Errorf("unpacked it differs (%v)", err)
	}
	if len(packed.text) >= len(plain.text) || packed.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%d bytes packed, %d plain", len(packed.text), len(plain.text))
	}
	if a, b := plain.Header.Get("ETag"), packed.Header.Get("ETag"); a == "" || a == b {
		t.Errorf("ETags %q and %q: want two", a, b)
	}
	if got := b.send(http.MethodGet, "/", nil, map[string]string{"Accept-Encoding": "gzip;q=0"}).Header.Get("Content-Encoding"); got != "" {
		t.Errorf("gzip refused, and %q sent", got)
	}
}

func TestFrontIsSentOnce(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	tag := b.get("/").Header.Get("ETag")
	for sent, want := range map[string]int{
		tag: http.StatusNotModified, "W/" + tag: http.StatusNotModified, `"other", ` + tag: http.StatusNotModified,
		"*": http.StatusNotModified, `"other"`: http.StatusOK, "": http.StatusOK,
	} {
		p := b.send(http.MethodGet, "/", nil, map[string]string{"If-None-Match": sent})
		if p.StatusCode != want || want == http.StatusNotModified && p.text != "" {
			t.Errorf("If-None-Match %q: %d with %d bytes, want %d", sent, p.StatusCode, len(p.text), want)
		}
	}
}

// Caches keep the languages apart.
func TestFrontLanguages(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	for _, c := range []struct{ path, accept, want string }{
		{"/", "th", "th"},
		{"/", "en-GB,en;q=0.9,th;q=0.8", "en"},
		{"/", "en;q=0.2,th-TH;q=0.9", "th"},
		{"/", "de-AT,de;q=0.9", "en"},
		{"/", "de, th;q=0.1", "th"},
		{"/", "", "th"},
		{"/", "*", "th"},
		{"/", "th;q=0,en;q=0.1", "en"},
		{"/", "th;q=x", "en"},
		{"/?lang=th", "en", "th"},
		{"/?lang=en", "th", "en"},
		{"/?lang=xx", "th", "th"},
	} {
		p := b.send(http.MethodGet, c.path, nil, map[string]string{"Accept-Language": c.accept})
		if got := p.Header.Get("Content-Language"); got != c.want || !strings.Contains(p.text, `<html lang="`+c.want+`">`) {
			t.Errorf("%s with Accept-Language %q is in %q, want %q", c.path, c.accept, got, c.want)
		}
		vary := strings.Join(p.Header.Values("Vary"), ",")
		if explicit := c.path == "/?lang=th" || c.path == "/?lang=en"; strings.Contains(vary, "Accept-Language") == explicit {
			t.Errorf("%s: Vary is %q", c.path, vary)
		}
	}
}

// A form is taken from our own pages alone.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	const own = "https://register.example.ac.th"
	for name, c := range map[string]struct {
		header map[string]string
		want   int
	}{
		"same origin":               {map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusSeeOther},
		"by the person":             {map[string]string{"Sec-Fetch-Site": "none"}, http.StatusSeeOther},
		"same site":                 {map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		"cross site":                {map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"cross site, origin forged": {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, http.StatusForbidden},
		"same origin, origin null":  {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, http.StatusSeeOther},
		"old browser, own":          {map[string]string{"Sec-Fetch-Site": "", "Origin": own}, http.StatusSeeOther},
		"old browser, other":        {map[string]string{"Sec-Fetch-Site": "", "Origin": "https://evil.example"}, http.StatusForbidden},
		"old browser, other scheme": {map[string]string{"Sec-Fetch-Site": "", "Origin": "https://register.example.ac.th.evil.example"}, http.StatusForbidden},
		"old browser, null":         {map[string]string{"Sec-Fetch-Site": "", "Origin": "null"}, http.StatusForbidden},
		"no browser":                {map[string]string{"Sec-Fetch-Site": ""}, http.StatusSeeOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			p := b.send(http.MethodPost, "/", form("email", somchai), c.header)
			if p.StatusCode != c.want {
				t.Fatalf("POST / = %d, want %d", p.StatusCode, c.want)
			}
			if asked := len(s.gateways.requests(restapi.PathGetOTP)); c.want == http.StatusForbidden && asked > 0 {
				t.Error("it was refused, and a code was asked for")
			}
			if c.want == http.StatusForbidden {
				p.says(t, "This form came from another site")
				b.send(http.MethodPost, "/", form("email", somchai), map[string]string{
					"Sec-Fetch-Site": "cross-site", "Accept-Language": "th",
				}).says(t, "แบบฟอร์มนี้ส่งมาจากเว็บไซต์อื่น")
			}
		})
	}
}

// The header's no-referrer would make browsers without Sec-Fetch-Site send
// "Origin: null" with every form; the pages with forms say otherwise.
func TestFormsKeepTheirOrigin(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	const meta = `<meta name="referrer" content="same-origin">`
	b.get("/").says(t, meta)
	b.toNames(somchai)
	b.get("/reg").says(t, meta)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	for path, allow := range map[string]string{
		"/": "GET, HEAD, POST", "/start": "GET, HEAD", "/authen": "GET, HEAD, POST", "/resend": "POST", "/reg": "GET, HEAD, POST",
		"/done": "GET, HEAD", "/done/progress": "GET, HEAD", "/leave": "POST", "/favicon.ico": "GET, HEAD",
		"/static/app.x.css": "GET, HEAD", "/getotpui": "GET, HEAD, POST", "/authenui": "GET, HEAD, POST", "/regui": "GET, HEAD, POST",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			p := b.send(method, path, nil, map[string]string{"Sec-Fetch-Site": "same-origin"})
			allowed := strings.Contains(", "+allow+", ", " "+method+",")
			if refused := p.StatusCode == http.StatusMethodNotAllowed; refused == allowed {
				t.Errorf("%s %s = %d, allowed are %s", method, path, p.StatusCode, allow)
			} else if got := p.Header.Get("Allow"); refused && got != allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, got, allow)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	public := newSite(t, map[string]string{"ALLOWED_HOSTS": "www.example.ac.th, ui:8080"}).browser(t)
	local := newSite(t, map[string]string{"PUBLIC_ORIGIN": "http://127.0.0.1:8080"}).browser(t)
	for _, c := range []struct {
		b    *browser
		host string
		want int
	}{
		{public, "register.example.ac.th", 200},
		{public, "register.example.ac.th:443", 200},
		{public, "REGISTER.example.ac.th", 200},
		{public, "www.example.ac.th", 200},
		{public, "ui:8080", 200},
		{public, "evil.example", 421},
		{public, "register.example.ac.th.evil.example", 421},
		{public, "localhost", 421},
		{public, "127.0.0.1:8080", 421},
		{local, "localhost:8080", 200},
		{local, "127.0.0.1:8080", 200},
		{local, "[::1]:8080", 200},
		{local, "evil.example:8080", 421},
	} {
		for _, path := range []string{"/", "/authen"} {
			p := c.b.send(http.MethodGet, path, nil, map[string]string{"Host": c.host})
			if refused := p.StatusCode == http.StatusMisdirectedRequest; refused != (c.want == http.StatusMisdirectedRequest) {
				t.Errorf("Host %s: GET %s = %d, want %d", c.host, path, p.StatusCode, c.want)
			}
		}
	}
}

// Links never hold a host: what the request says of it goes nowhere.
func TestLinksAreRelative(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toNames(somchai)
	absolute := regexp.MustCompile(`(?i)(href|src|action|url)="?\s*(https?:)?//`)
	for path, method := range everyRoute() {
		p := b.send(method, path, nil, map[string]string{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"})
		if to := p.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%s leads to %q", path, to)
		}
		if absolute.MatchString(p.text) || strings.Contains(p.text, "evil.example") {
			t.Errorf("%s has a link with a host", path)
		}
	}
}

func TestArticlesRoutes(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	for old, path := range map[string]string{"/getotpui": "/", "/authenui": "/authen", "/regui": "/reg"} {
		if p := b.send(http.MethodGet, old+"?lang=en", nil, nil); p.StatusCode != 301 || p.Header.Get("Location") != path+"?lang=en" {
			t.Errorf("GET %s = %d to %q", old, p.StatusCode, p.Header.Get("Location"))
		}
		if p := b.send(http.MethodPost, old, form("email", somchai), nil); p.StatusCode != 308 || p.Header.Get("Location") != path {
			t.Errorf("POST %s = %d to %q", old, p.StatusCode, p.Header.Get("Location"))
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	for name, c := range map[string]struct {
		kind, email string
		want        int
	}{
		"form":              {"application/x-www-form-urlencoded", somchai, 303},
		"form with charset": {"application/x-www-form-urlencoded; charset=UTF-8", somchai, 303},
		"JSON":              {"application/json", somchai, 415},
		"multipart":         {"multipart/form-data; boundary=x", somchai, 415},
		"text":              {"text/plain", somchai, 415},
		"nothing":           {" ", somchai, 415},
		"4 KiB":             {"application/x-www-form-urlencoded", strings.Repeat("a", 4096-len("email=")), 303},
		"more":              {"application/x-www-form-urlencoded", strings.Repeat("a", 4097-len("email=")), 413},
	} {
		p := b.send(http.MethodPost, "/", form("email", c.email), map[string]string{"Content-Type": c.kind})
		if p.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, p.StatusCode, c.want)
		}
	}
	bad := b.send(http.MethodPost, "/?lang=%zz", form("email", somchai), nil)
	if bad.StatusCode != http.StatusBadRequest {
		t.Errorf("a query that is none: %d, want 400", bad.StatusCode)
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	front := b.get("/").text
	for name, kind := range map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"} {
		path := regexp.MustCompile(`/static/\w+\.[\w-]+\.` + name).FindString(front)
		p := b.send(http.MethodGet, path, nil, map[string]string{"Accept-Encoding": "gzip"})
		if p.StatusCode != 200 || p.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			p.Header.Get("Content-Type") != kind || p.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %d %v", path, p.StatusCode, p.Header)
		}
		// A replica of another version asks for another hash.
		other := regexp.MustCompile(`\.[\w-]+\.`).ReplaceAllString(path, ".another.")
		if p := b.send(http.MethodGet, other, nil, nil); p.StatusCode != 200 || p.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", other, p.StatusCode, p.Header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/static/", "/static/app.css", "/static/none.x.css", "/static/..%2fui.go", "/static/app.x.html"} {
		if p := b.send(http.MethodGet, path, nil, nil); p.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, p.StatusCode)
		}
	}
	if to := b.send(http.MethodGet, "/favicon.ico", nil, nil).Header.Get("Location"); !strings.HasSuffix(to, ".svg") {
		t.Errorf("/favicon.ico leads to %q", to)
	}
}

// The stylesheet and the script are all that a page may use: no inline ones.
func TestNothingInline(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script(\s+defer)?>|javascript:`)
	pages := []page{b.get("/"), b.toCode(somchai), b.post("/authen", "otp", "1"), b.toNames(somchai), b.toDone(somchai), b.get("/nope")}
	for _, p := range pages {
		if m := inline.FindString(p.text); m != "" {
			t.Errorf("%s has %q", p.path, m)
		}
	}
}

func TestShowReplica(t *testing.T) {
	t.Parallel()
	for show, want := range map[string]bool{"true": true, "false": false} {
		s := newSite(t, map[string]string{"SHOW_REPLICA": show})
		b := s.browser(t)
		for _, p := range []page{b.get("/"), b.toCode(somchai)} {
			if got := strings.Contains(p.text, p.Header.Get("X-Served-By")); got != want {
				t.Errorf("SHOW_REPLICA=%s: %s shows the replica: %v", show, p.path, got)
			}
		}
		if got := strings.Contains(b.get("/").Header.Get("Cache-Control"), "max-age"); got == want {
			t.Errorf("SHOW_REPLICA=%s: cached for a time: %v", show, got)
		}
	}
}
