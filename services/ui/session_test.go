package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
)

func TestCookie(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]struct {
		name, host string
		secure     bool
	}{
		"https://register.example.ac.th": {"__Host-sid", "register.example.ac.th", true},
		"http://localhost:8080":          {"sid", "127.0.0.1:8080", false},
	} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			b := newSite(t, map[string]string{"PUBLIC_ORIGIN": origin}).browser(t)
			p := b.send(http.MethodPost, "/", form("email", somchai), map[string]string{"Host": want.host})
			if len(p.Cookies()) != 1 {
				t.Fatalf("cookies %v, want one", p.Cookies())
			}
			c := p.Cookies()[0]
			if c.Name != want.name || c.Secure != want.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
				c.Path != "/" || c.Domain != "" || c.MaxAge != 0 || len(c.Value) < 22 {
				t.Errorf("cookie %+v", c)
			}
		})
	}
}

// No GET and no HEAD makes a session, writes to one, or sets a cookie.
func TestGetChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	stranger, person := s.browser(t), s.browser(t)
	person.toDone(somchai)
	before := s.redis.Dump()
	asked := len(s.gateways.requests(restapi.PathGetOTP))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{"/", "/?lang=th", "/start", "/authen", "/reg", "/done", "/done/progress", "/resend", "/leave", "/getotpui", "/authenui", "/regui", "/nope"} {
			for name, b := range map[string]*browser{"stranger": stranger, "person": person} {
				p := b.send(method, path, nil, nil)
				if got := p.Header.Values("Set-Cookie"); len(got) > 0 {
					t.Errorf("%s %s as %s sets %v", method, path, name, got)
				}
			}
		}
	}
	if after := s.redis.Dump(); after != before {
		t.Errorf("Redis was\n%s\nand is\n%s", before, after)
	}
	if got := len(s.gateways.requests(restapi.PathGetOTP)); got != asked {
		t.Errorf("%d codes were asked for", got-asked)
	}
}

// Each step up gives a new token, and the one before is worth nothing.
func TestFixation(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.cookies["__Host-sid"] = "chosen-by-somebody-else-0000000000000000000"
	tokens := []string{b.token()}
	for _, up := range []func(){
		func() { b.post("/", "email", somchai).at(t, "/authen") },
		func() { b.post("/authen", "otp", rightCode).at(t, "/reg") },
		func() { b.post("/reg", "firstname", "Som", "lastname", "Chai").at(t, "/done") },
	} {
		up()
		for _, old := range tokens {
			if old == b.token() {
				t.Fatalf("the token %q is still in use", old)
			}
			thief := s.browser(t)
			thief.cookies["__Host-sid"] = old
			thief.get("/done").at(t, "/")
		}
		tokens = append(tokens, b.token())
	}
	for _, key := range s.redis.Keys() {
		if !strings.HasPrefix(key, "ui:") || strings.Contains(key, b.token()) {
			t.Errorf("key %q: want the prefix ui: and no token", key)
		}
	}
}

// A wrong guess keeps the token, and asking from the start takes a new one.
func TestTokenStaysWithinAStep(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil).browser(t)
	b.toCode(somchai)
	token := b.token()
	b.post("/authen", "otp", "111111")
	b.post("/resend")
	if b.token() != token {
		t.Error("the token changed although nothing was proved")
	}
	b.post("/", "email", somchai)
	if b.token() == token {
		t.Error("a new journey goes on under the old token")
	}
}

// A session ends when nothing happens for its idle time; looking is enough to
// keep it.
func TestIdleTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"SESSION_IDLE": "15m", "SESSION_LIFETIME": "60m"})
	b := s.browser(t)
	b.toCode(somchai)
	for range 2 {
		s.redis.FastForward(14 * time.Minute)
		b.get("/authen").at(t, "/authen")
	}
	s.redis.FastForward(15*time.Minute + time.Second)
	b.get("/authen").at(t, "/").says(t, "Your session has ended")
	b.post("/authen", "otp", rightCode).at(t, "/").says(t, "Your session has ended")
}

// A session ends with its lifetime, however busy it is, and proving the address
// half-way does not prolong it.
func TestLifetime(t *testing.T) {
	t.Parallel()
	const life = 2 * time.Second
	s := newSite(t, map[string]string{"SESSION_IDLE": "2s", "SESSION_LIFETIME": "2s"})
	b := s.browser(t)
	b.toCode(somchai)
	begun := time.Now()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for now := range look.C {
		p := b.get("/reg")
		switch age := now.Sub(begun); {
		case p.path == "/?ended" && age < life/2:
			t.Fatalf("the session ended after %v", age)
		case p.path == "/?ended":
			return
		case age >= life:
			t.Fatalf("at %s after %v: the session goes on", p.path, age)
		case p.path == "/authen" && age > life/2:
			b.post("/authen", "otp", rightCode)
		}
	}
}

// A form that was under way while another one renewed the session does not bring
// the old one back.
func TestOldSessionStaysGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toCode(somchai)
	late := s.browser(t)
	late.cookies["__Host-sid"] = b.token()

	s.gateways.hold()
	var under sync.WaitGroup
	under.Go(func() { late.send(http.MethodPost, "/authen", form("otp", "111111"), nil) })
	s.gateways.held()
	b.toNames(somchai)
	s.gateways.release()
	under.Wait()

	if late.token() == b.token() {
		t.Fatal("the test has one session only")
	}
	late.get("/authen").at(t, "/")
	b.get("/reg").at(t, "/reg")
}

// What Redis holds of another version, or of nobody, is as good as nothing.
func TestUnreadableSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toCode(somchai)
	for _, key := range s.redis.Keys() {
		if err := s.redis.Set(key, "of another kind"); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/authen").at(t, "/")
	b.toNames(somchai)
}

// Without Redis the pages say so; what was typed goes with the page, and works
// when Redis is back.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toNames(somchai)
	s.redis.Close()
	for _, try := range []struct {
		method, path string
		form         url.Values
		says         string
	}{
		{http.MethodGet, "/reg", nil, `href="/reg"`},
		{http.MethodGet, "/done/progress", nil, ""},
		{http.MethodPost, "/reg", form("firstname", "<b>Som", "lastname", "Chai"), `value="&lt;b&gt;Som"`},
		{http.MethodPost, "/authen", form("otp", rightCode), `action="/authen"`},
		{http.MethodPost, "/", form("email", somchai), `value="somchai@example.ac.th"`},
		{http.MethodPost, "/leave", form("lang", "th"), "โปรดรอสักครู่"},
	} {
		p := b.send(try.method, try.path, try.form, nil)
		if p.StatusCode != http.StatusServiceUnavailable || p.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s = %d, Retry-After %q; want 503", try.method, try.path, p.StatusCode, p.Header.Get("Retry-After"))
		}
		p.says(t, try.says)
	}
	if p := s.browser(t).get("/"); p.StatusCode != http.StatusOK {
		t.Errorf("the first page needs Redis: %d", p.StatusCode)
	}
	if err := s.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	b.post("/reg", "firstname", "Som", "lastname", "Chai").at(t, "/done")
}
