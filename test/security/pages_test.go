package security_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"matriq/test/harness"
)

// pageTrials are attacks on people's browsers.
func pageTrials() []trial {
	return []trial{
		{"PageHeaders", pageHeaders},
		{"PageForeignForms", foreignForms},
		{"GatewayHeaders", gatewayHeaders},
	}
}

// pagePolicy is the whole policy of every page: nothing but what is here may be
// loaded, run, framed or sent to.
func pagePolicy() map[string]string {
	return map[string]string{
		"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'", "img-src": "'self'",
		"form-action": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'",
	}
}

// Threat: a page that runs a stranger's script, is framed under a stranger's
// buttons, is taken for another type, tells where its reader came from, or stays
// on a shared machine. Promise: every answer on every route, in every state, in
// both languages, failures too, has a policy without unsafe-inline, nosniff,
// no-referrer and COOP; all but the first page and its files is not to be kept;
// and no page has anything that the policy would have to forbid.
func pageHeaders(t *testing.T, s *system) {
	for _, language := range []string{"th", "en"} {
		for name, page := range s.everyPage(t, language) {
			t.Run(language+"/"+name, func(t *testing.T) {
				wantHeaders(t, page)
				wantNothingInline(t, page)
				if got := page.Language(); got != language && name != "progress" { // a part of a page
					t.Errorf("the page is in %q", got)
				}
			})
		}
	}
	for path, status := range map[string]int{
		"/": 200, "/?lang=th": 200, "/?ended": 200, "/favicon.ico": 302, "/getotpui": 301, "/authenui": 301, "/regui": 301,
		"/start": 303, "/authen": 303, "/reg": 303, "/done": 303, "/done/progress": 404, "/resend": 405, "/leave": 405,
		"/static/none.css": 404, "/static/": 404, "/static/../": 307, "/.git/config": 404, "/metrics": 404, "/readyz": 404, "/debug/pprof/": 404,
		"/%2e%2e/etc/passwd": 404, "//evil.example": 307, "/\\evil.example": 404, "/static/..%2f..%2fgo.mod": 404, "/<script>": 404,
	} {
		a := send(t, s, http.MethodGet, s.UI.URL+path, nil, nil)
		if a.Status != status {
			t.Errorf("%s is answered with %d, want %d", path, a.Status, status)
		}
		wantHeaders(t, &harness.Page{Header: a.Header, Status: a.Status, Body: string(a.Body), URL: request(t, http.MethodGet, s.UI.URL+path, nil, nil).URL})
		if to := a.Header.Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "evil") && !strings.HasPrefix(to, "/") {
			t.Errorf("%s leads to %q", path, to)
		}
	}
}

// everyPage walks through all pages and states that a person may see.
func (s *system) everyPage(t *testing.T, language string) map[string]*harness.Page {
	t.Helper()
	email := s.listed(t)
	p := s.person(t, language)
	pages := map[string]*harness.Page{"front": p.Open(t, "/"), "no such page": p.Open(t, "/no/such/page"), "method": p.Open(t, "/resend")}
	pages["ended"] = p.Open(t, "/?ended")
	pages["bad address"] = pages["front"].Submit(t, map[string]string{"email": "no address"})
	pages["code"] = pages["front"].Submit(t, map[string]string{"email": email})
	code := s.newest(t, email)
	pages["code again"] = pages["front"].Submit(t, map[string]string{"email": email})
	pages["start again"] = p.Open(t, "/start")
	pages["malformed code"] = pages["code"].Submit(t, map[string]string{"otp": "no code"})
	// The code again is another journey's page: the last one counts.
	pages["wrong code"] = p.Open(t, "/authen").Submit(t, map[string]string{"otp": wrong(code)})
	pages["too soon"] = resends(t, p)
	pages["names"] = p.Open(t, "/authen").Submit(t, map[string]string{"otp": code})
	pages["bad names"] = pages["names"].Submit(t, names("1", "www.evil.com"))
	pages["done"] = pages["names"].Submit(t, names("Malee", "Jaidee"))
	pages["progress"] = p.Open(t, "/done/progress?lang="+language)

	burnt := s.person(t, language)
	page := asks(t, burnt, s.address())
	for range 5 {
		page = page.Submit(t, map[string]string{"otp": "000000"})
	}
	pages["used up"] = page
	return pages
}

// resends asks for another code at once.
func resends(t *testing.T, p *harness.Person) *harness.Page {
	t.Helper()
	return p.Open(t, "/authen").SubmitTo(t, "/resend", nil)
}

// wantHeaders fails the test unless the answer has what every answer has.
func wantHeaders(t *testing.T, page *harness.Page) {
	t.Helper()
	policy := map[string]string{}
	for directive := range strings.SplitSeq(page.Header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		policy[name] = value
	}
	if !maps.Equal(policy, pagePolicy()) {
		t.Errorf("%s: the policy is %v", page.URL, policy)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Server": "", "X-Powered-By": "", "Access-Control-Allow-Origin": "",
	} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", page.URL, name, got, want)
		}
	}
	cache, public := page.Header.Get("Cache-Control"), page.URL.Path == "/" || strings.HasPrefix(page.URL.Path, "/static/")
	redirects := page.Status == http.StatusMovedPermanently || page.Status == http.StatusFound || page.Status == http.StatusTemporaryRedirect
	if !public && cache != "no-store" && !redirects {
		t.Errorf("%s may be kept: %q", page.URL, cache)
	}
	if page.URL.Path == "/" && page.Status == http.StatusOK && !strings.HasPrefix(cache, "public") {
		t.Errorf("the first page has the Cache-Control %q", cache)
	}
	if strings.HasPrefix(cache, "public") && page.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s gives a cookie that anybody may keep", page.URL)
	}
}

var handler = regexp.MustCompile(`(?i)^on[a-z]+$`)

// wantNothingInline fails the test if the page has a script or a style of its
// own, or anything of another site.
func wantNothingInline(t *testing.T, page *harness.Page) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if (n.Data == "script" || n.Data == "style") && n.FirstChild != nil {
			t.Errorf("%s has a <%s> with text", page.URL, n.Data)
		}
		if slices.Contains([]string{"base", "iframe", "object", "embed", "frame"}, n.Data) {
			t.Errorf("%s has a <%s>", page.URL, n.Data)
		}
		for _, a := range n.Attr {
			local := strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//") || strings.HasPrefix(a.Val, "#")
			if handler.MatchString(a.Key) || a.Key == "style" ||
				slices.Contains([]string{"href", "src", "action", "formaction"}, a.Key) && !local {
				t.Errorf("%s has <%s %s=%q>", page.URL, n.Data, a.Key, a.Val)
			}
		}
	}
}

// Threat: another site's page sends one of our forms in the visitor's name.
// Promise: a form counts only from our own pages, by Sec-Fetch-Site, or where a
// browser does not say, by the host of Origin, whatever its scheme; 403 else, and
// nothing has changed. What sends neither is no browser and carries nobody's
// cookie.
func foreignForms(t *testing.T, s *system) { strangeForms(t, s, s.UI.URL) }

// strangeForms is [foreignForms] for the pages at own.
func strangeForms(t *testing.T, s *system, own string) {
	t.Helper()
	sites := []string{"", "same-origin", "same-site", "cross-site", "none", "Same-Origin", "nonsense"}
	origins := []string{"", own, "null", "http://evil.example", own + ".evil.example", "https" + own[4:], "http://127.0.0.1:1", "nonsense"}
	for _, site := range sites {
		for _, origin := range origins {
			// A browser that tells the site is believed; one that does not, by
			// Origin; one that is trusted by name may say what it likes.
			want := site == "same-origin" || site == "none" || origin == own ||
				site == "" && (origin == "" || strings.HasSuffix(origin, strings.TrimPrefix(own, "http")))
			for _, path := range []string{"/", "/authen", "/resend", "/reg", "/leave"} {
				what := fmt.Sprintf("%s with Sec-Fetch-Site %q and Origin %q", path, site, origin)
				wantForm(t, s, what, own+path, site, origin, want)
			}
		}
	}
}

// wantForm sends a form as the browser of somebody who has a session, and fails
// the test unless it counts or not, as it should.
func wantForm(t *testing.T, s *system, what, url, site, origin string, counts bool) {
	t.Helper()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {sid + "=" + strings.Repeat("A", 43)}}
	if site != "" {
		header.Set("Sec-Fetch-Site", site)
	}
	if origin != "" {
		header.Set("Origin", origin)
	}
	a := send(t, s, http.MethodPost, url, strings.NewReader("email=no address&otp=1&lang=en"), header)
	if counts && a.Status != http.StatusSeeOther || !counts && a.Status != http.StatusForbidden {
		t.Errorf("%s is answered with %d, want it to count: %v", what, a.Status, counts)
	}
	if !counts && (len(a.Header.Values("Set-Cookie")) > 0 || !strings.Contains(string(a.Body), "</html>")) {
		t.Errorf("%s is answered with the cookie %q and\n%s", what, a.Header.Get("Set-Cookie"), a.Body)
	}
}

// Threat: a browser takes an answer of the API for a page, keeps it, or lets
// another site's script read it. Promise: every answer is of its declared type,
// not to be sniffed or kept, and no other site may read it.
func gatewayHeaders(t *testing.T, s *system) {
	for _, url := range []string{s.OTPGateway.URL, s.RegisterGateway.URL} {
		wantAPIHeaders(t, s, url)
	}
	// Without a credential, or with a wrong one, nothing is answered but that.
	for _, login := range []string{"", ":", "tester", "tester:", "tester:wrong", "guest:guest", "tester\x00:" + harness.ClientPassword} {
		for _, call := range s.calls() {
			req := request(t, http.MethodPost, call.url, strings.NewReader("{"), http.Header{"Content-Type": {"application/json"}})
			name, password, _ := strings.Cut(login, ":")
			req.SetBasicAuth(name, password)
			if login == "" {
				req.Header.Del("Authorization")
			}
			a := answerTo(t, s, req)
			wantProblem(t, fmt.Sprintf("%s as %q", call.url, login), a, http.StatusUnauthorized, "unauthenticated")
			if !strings.HasPrefix(a.Header.Get("Www-Authenticate"), "Basic") {
				t.Errorf("%s as %q: WWW-Authenticate is %q", call.url, login, a.Header.Get("Www-Authenticate"))
			}
		}
	}
}

// wantAPIHeaders asks for everything at a gateway, and more.
func wantAPIHeaders(t *testing.T, s *system, url string) {
	t.Helper()
	for _, path := range []string{"/getotp", "/authen", "/register", "/register/1", "/register/<script>", "/create_email_list", "/no/such", "/openapi.json", "/docs", "/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			a := send(t, s, method, url+path, nil, http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}})
			if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s may be sniffed or kept: %v", method, path, a.Header)
			}
			for name := range a.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s lets other sites in: %s", method, path, name)
				}
			}
			if len(a.Body) > 0 && a.Header.Get("Content-Type") == "" || strings.Contains(string(a.Body), "<script>") && path != "/docs" {
				t.Errorf("%s %s is answered with %q:\n%s", method, path, a.Header.Get("Content-Type"), a.Body)
			}
		}
	}
}
