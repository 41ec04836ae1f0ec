package ui_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
)

const somchai = "somchai@example.ac.th"

// The whole way, in both languages, on two replicas that take turns.
func TestJourney(t *testing.T) {
	t.Parallel()
	for lang, texts := range map[string]struct{ start, code, names, done, waiting, complete string }{
		"en": {"Register as a new student", "Check your e-mail", "What is your name?", "You are registered", "In progress", "Everything is done."},
		"th": {"ลงทะเบียนนักศึกษาใหม่", "ตรวจสอบอีเมลของท่าน", "ชื่อของท่าน", "ลงทะเบียนสำเร็จ", "กำลังดำเนินการ", "ดำเนินการเสร็จสิ้นแล้ว"},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			other := s.replica(t, nil)
			swap := func() { b.handler, other = other, b.handler }

			mark := `<html lang="` + lang + `">`
			b.get("/?lang="+lang).at(t, "/").says(t, mark, texts.start)
			swap()
			b.post("/", "email", somchai, "lang", lang).at(t, "/authen").says(t, mark, texts.code, "KMT", somchai)
			swap()
			b.post("/authen", "otp", rightCode).at(t, "/reg").says(t, mark, texts.names, somchai)
			swap()
			b.post("/reg", "firstname", "Somchai", "lastname", "Jaidee").at(t, "/done").
				says(t, mark, texts.done, "69000001", texts.waiting, `<meta http-equiv="refresh"`)
			s.gateways.confirmed()
			swap()
			last := b.get("/done").at(t, "/done").says(t, texts.complete)
			if strings.Contains(last.text, "http-equiv") {
				t.Error("the page goes on reloading when there is nothing to wait for")
			}
			want := restapi.RegisterRequest{Firstname: "Somchai", Lastname: "Jaidee", Email: somchai}
			if got := s.gateways.students()[somchai]; got != want {
				t.Errorf("registered %+v, want %+v", got, want)
			}
			for _, r := range s.gateways.requests(restapi.PathGetOTP) {
				if got := r.header.Get("Accept-Language"); got != lang {
					t.Errorf("the gateway is asked in %q, want %q", got, lang)
				}
			}
		})
	}
}

// The page to which the names lead shows what the session knows and asks nobody;
// every other showing asks.
func TestFirstShowing(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	asked := func() int { return len(s.gateways.requests(restapi.PathRegister + "/69000001")) }
	b.toNames(somchai)
	begun := time.Now()
	p := b.post("/reg", "firstname", "Somchai", "lastname", "Jaidee").at(t, "/done").says(t, "69000001", "In progress", somchai)
	if asked() != 0 && time.Since(begun) < time.Second {
		t.Errorf("%s asked for the progress", p.path)
	}
	before := asked()
	for i, path := range []string{"/done", "/done?lang=en", "/done/progress", "/done/progress?registered"} {
		b.get(path)
		if got := asked() - before; got != i+1 {
			t.Errorf("%d questions after %s, want %d", got, path, i+1)
		}
	}
	s.gateways.confirmed()
	b.post("/reg", "firstname", "Somchai", "lastname", "Jaidee").at(t, "/done").says(t, "Everything is done.")
}

// The script's view of the last page.
func TestProgressFragment(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	if got := b.get("/done/progress").StatusCode; got != http.StatusNotFound {
		t.Errorf("without a session: %d, want 404", got)
	}
	b.toDone(somchai)
	p := b.get("/done/progress?lang=th").says(t, `<div id="progress">`, "กำลังดำเนินการ")
	if strings.Contains(p.text, "<html") || strings.Contains(p.text, "data-complete") {
		t.Errorf("want an open fragment alone\n%s", p.text)
	}
	s.gateways.confirmed()
	b.get("/done/progress").says(t, "data-complete", somchai)

	s.gateways.answers(answer{status: http.StatusInternalServerError, reason: "internal"})
	b.get("/done").at(t, "/done").says(t, "69000001", "In progress")
}

// Each page leads to the one of the own step.
func TestGuards(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	steps := map[string]func(*browser){
		"/":       func(*browser) {},
		"/start":  func(b *browser) { b.post("/", "email", "") },
		"/authen": func(b *browser) { b.toCode("a@example.ac.th") },
		"/reg":    func(b *browser) { b.toNames("b@example.ac.th") },
		"/done":   func(b *browser) { b.toDone("c@example.ac.th") },
	}
	for own, reach := range steps {
		t.Run(own, func(t *testing.T) {
			t.Parallel()
			b := s.browser(t)
			reach(b)
			for _, page := range []string{"/authen", "/reg", "/done"} {
				b.get(page+"?lang=th").at(t, own).says(t, `<html lang="th">`)
			}
			if own != "/" {
				b.get("/start").at(t, "/start")
			}
			before := len(s.gateways.students())
			for _, form := range []string{"/authen", "/reg", "/resend"} {
				if form == own || form == "/resend" && own == "/authen" {
					continue
				}
				b.post(form, "otp", rightCode, "firstname", "Eve", "lastname", "Early").at(t, own)
			}
			if own == "/" && len(b.cookies) > 0 {
				t.Error("a form that came too early made a session")
			}
			if got := len(s.gateways.students()); own != "/done" && got > before+1 {
				t.Errorf("%d registrations more", got-before)
			}
		})
	}
}

// A wrong code tells how many guesses are left; what is over is explained.
func TestCodeThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toCode(somchai)
	b.post("/authen", "otp", "12345").says(t, "Enter the digits of the code")
	if got := len(s.gateways.requests(restapi.PathAuthen)); got != 0 {
		t.Errorf("a code that cannot be one was tried %d times at the gateway", got)
	}
	p := b.post("/authen", "otp", "111111").at(t, "/authen").
		says(t, "<title>Error:", `role="alert"`, "This is not the right code.", "Tries left: 4.",
			`aria-invalid="true" autofocus`, `aria-describedby="otp-error otp-hint`)
	if strings.Contains(p.text, "111111") {
		t.Error("the page repeats the code")
	}
	for range 4 {
		p = b.post("/authen", "otp", "111111")
	}
	p.says(t, "tried too often", `action="/resend"`)
	b.post("/resend").at(t, "/authen").says(t, "a new code is on its way")
	b.post("/authen", "otp", rightCode).at(t, "/reg")
}

// Codes are taken as people type and paste them.
func TestCodeAsTyped(t *testing.T) {
	t.Parallel()
	for name, typed := range map[string]string{
		"plain": "123456", "spaces": " 123 456 ", "dash": "123-456", "en dash": "123–456",
		"Thai digits": "๑๒๓๔๕๖", "mixed": "๑๒3 4๕๖", "no-break space": "123\u00a0456", "zero width": "\u200b123456\ufeff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			b.toCode(somchai)
			b.post("/authen", "otp", typed).at(t, "/reg")
			if got := s.gateways.requests(restapi.PathAuthen)[0].body["otp"]; got != rightCode {
				t.Errorf("the gateway got %q", got)
			}
		})
	}
	for name, typed := range map[string]string{
		"empty": "", "letters": "12345a", "short": "12345", "long": "12345678901", "Arabic digits": "١٢٣٤٥٦", "sign": "+123456",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			b.toCode(somchai)
			b.post("/authen", "otp", typed).at(t, "/authen").says(t, "Enter the digits")
		})
	}
}

// What the gateways refuse is told in the person's words, on the page it is
// about, and what was typed is still there.
func TestRefusals(t *testing.T) {
	t.Parallel()
	address := func(b *browser) page { return b.post("/", "email", somchai) }
	code := func(b *browser) page { return b.post("/authen", "otp", "111111") }
	again := func(b *browser) page { return b.post("/resend") }
	names := func(b *browser) page { return b.post("/reg", "firstname", "Som", "lastname", "Jai") }
	toCode := func(b *browser) { b.toCode(somchai) }
	toNames := func(b *browser) { b.toNames(somchai) }
	for name, c := range map[string]struct {
		reach  func(*browser)
		do     func(*browser) page
		answer answer
		at     string
		says   []string
	}{
		"bad address":       {nil, address, answer{422, "bad_email", 0}, "/start", []string{"not a complete e-mail address", somchai, "email-error"}},
		"address limit":     {nil, address, answer{429, "address_limit", 1800}, "/start", []string{"Too many codes", "30 minutes", somchai}},
		"address locked":    {nil, address, answer{429, "address_locked", 86400}, "/start", []string{"Too many wrong codes", "24 hours"}},
		"source limit":      {nil, address, answer{429, "source_limit", 45}, "/start", []string{"your network", "45 seconds"}},
		"asked twice":       {nil, address, answer{429, "resend_too_soon", 40}, "/authen", []string{"a moment ago", "40 seconds", somchai}},
		"locked at code":    {toCode, code, answer{429, "address_locked", 7200}, "/authen", []string{"Too many wrong codes", "2 hours"}},
		"bad code":          {toCode, code, answer{422, "bad_otp", 0}, "/authen", []string{"Enter the digits"}},
		"resend too soon":   {toCode, again, answer{429, "resend_too_soon", 50}, "/authen", []string{"another one in 50 seconds"}},
		"resend too often":  {toCode, again, answer{429, "address_limit", 1800}, "/authen", []string{"Too many codes", "30 minutes"}},
		"bad first name":    {toNames, names, answer{422, "bad_firstname", 0}, "/reg", []string{"Enter your first name", `value="Som"`, `value="Jai"`}},
		"bad last name":     {toNames, names, answer{422, "bad_lastname", 0}, "/reg", []string{"Enter your last name", `value="Som"`}},
		"proof has lapsed":  {toNames, names, answer{403, "not_verified", 0}, "/start", []string{"confirmed too long ago", somchai}},
		"refused as source": {toNames, names, answer{429, "source_limit", 60}, "/reg", []string{"your network"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			if c.reach != nil {
				c.reach(b)
			}
			s.gateways.answers(c.answer)
			p := c.do(b).at(t, c.at).says(t, c.says...)
			if c.at != "/authen" || name != "asked twice" {
				p.says(t, "<title>Error:", `role="alert"`)
			}
		})
	}
}

func TestBothNamesAreJudgedAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toNames(somchai)
	b.post("/reg", "firstname", "  ", "lastname", strings.Repeat("ก", 101)).at(t, "/reg").
		says(t, `id="firstname-error"`, `id="lastname-error"`)
	if got := len(s.gateways.requests(restapi.PathRegister)); got != 0 {
		t.Errorf("the gateway was asked %d times", got)
	}
}

func TestDisclosure(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.gateways.unlisted()
	s.browser(t).post("/", "email", somchai).at(t, "/start").says(t, "not on the list, or it is registered already")
}

// Proving A and then asking for B must not register B, nor A in B's name.
func TestAskingAgainForgetsTheProof(t *testing.T) {
	t.Parallel()
	const other = "other@example.ac.th"
	for name, ask := range map[string]struct {
		email  string
		answer []answer
		at     string
	}{
		"another address":           {other, nil, "/authen"},
		"another one, too soon":     {other, []answer{{429, "resend_too_soon", 30}}, "/authen"},
		"another one, malformed":    {"nobody", []answer{{422, "bad_email", 0}}, "/start"},
		"nothing":                   {"", nil, "/start"},
		"another one, over a limit": {other, []answer{{429, "source_limit", 30}}, "/start"},
		"the same":                  {somchai, nil, "/authen"},
		"the same, too soon":        {somchai, []answer{{429, "resend_too_soon", 30}}, "/authen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			b.toNames(somchai)
			s.gateways.answers(ask.answer...)
			b.post("/", "email", ask.email).at(t, ask.at)
			b.post("/reg", "firstname", "Eve", "lastname", "Early").at(t, ask.at)
			b.get("/reg").at(t, ask.at)
			if got := s.gateways.students(); len(got) != 0 {
				t.Errorf("registered %v", got)
			}
		})
	}
	t.Run("while the gateway is away", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, nil)
		b := s.browser(t)
		b.toNames(somchai)
		s.gateways.answers(answer{503, "unavailable", 7})
		if got := b.send(http.MethodPost, "/", form("email", other), nil).StatusCode; got != http.StatusServiceUnavailable {
			t.Fatalf("status %d, want 503", got)
		}
		b.get("/reg").at(t, "/start")
	})
}

// Two tabs share a session. A form of the journey that the other tab has left
// changes nothing.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	first := b.toCode(somchai).journey(t)
	second := b.toCode("other@example.ac.th").journey(t)
	if first == second {
		t.Fatal("two journeys have one ID")
	}
	b.post("/authen", "journey", first, "otp", rightCode).at(t, "/authen").says(t, "another window", "other@example.ac.th")
	if got := len(s.gateways.requests(restapi.PathAuthen)); got != 0 {
		t.Errorf("the code of one journey was tried %d times for the other", got)
	}
	b.post("/authen", "journey", second, "otp", rightCode).at(t, "/reg")
	b.post("/reg", "journey", first, "firstname", "Som", "lastname", "Chai").at(t, "/reg")
	if got := s.gateways.students(); len(got) != 0 {
		t.Errorf("registered %v by a form of another journey", got)
	}
	b.post("/reg", "journey", second, "firstname", "Oth", "lastname", "Er").at(t, "/done")
	b.post("/reg", "journey", second, "firstname", "Oth", "lastname", "Er").at(t, "/done")
	b.post("/authen", "journey", second, "otp", "111111").at(t, "/done")
	if got := len(s.gateways.requests(restapi.PathRegister)); got != 1 {
		t.Errorf("%d registrations sent, want 1", got)
	}
}

// Sent again while a code is out, the address leads on to that code.
func TestAskedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toCode(somchai).says(t, "KMT")
	s.gateways.answers(answer{429, "resend_too_soon", 50})
	b.post("/", "email", somchai).at(t, "/authen").says(t, "KMT", "a moment ago", "50 seconds")
	b.post("/authen", "otp", rightCode).at(t, "/reg")
}

// Whoever proved the address too long ago starts again and gets there.
func TestLapsedProof(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toNames(somchai)
	s.gateways.lapse()
	b.post("/reg", "firstname", "Som", "lastname", "Jai").at(t, "/start").says(t, "confirmed too long ago")
	b.toDone(somchai)
}

// The names go under no idempotency key, however often: by the address that proved
// itself a repeat is told, and gets the same ID.
func TestIdempotencyKey_Names(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toNames(somchai)
	for _, first := range []string{"Som", "Som", "Somchai"} {
		s.gateways.answers(answer{422, "bad_lastname", 0})
		b.post("/reg", "firstname", first, "lastname", "J")
	}
	s.gateways.answers(answer{503, "unavailable", 0})
	b.post("/reg", "firstname", "Somchai", "lastname", "Jaidee").at(t, "/done").says(t, "69000001")
	sent := s.gateways.requests(restapi.PathRegister)
	for i, r := range sent {
		if keys := r.header.Values("Idempotency-Key"); len(keys) != 0 || r.body["email"] != somchai {
			t.Errorf("registration %d is of %q, under %q", i, r.body["email"], keys)
		}
	}
	if len(sent) != 5 {
		t.Errorf("%d registrations sent, want 5: three refused, one busy, and its repeat", len(sent))
	}
}

// The first code is asked for under the request's ID, which the edge keeps when it
// sends the request to another replica; the next one under a key that changes with
// the code that is out; and a guess under one that changes with the guess and with
// what is left.
func TestIdempotencyKey_Codes(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"TRUSTED_PROXIES": "192.0.2.0/24"})
	b := s.browser(t)
	b.header["X-Request-ID"] = "request-1"
	b.toCode(somchai)
	for range 2 {
		s.gateways.answers(answer{429, "source_limit", 0})
		b.post("/resend")
	}
	b.post("/resend")
	b.post("/resend")
	for _, guess := range []string{"000001", "000001", "000002"} {
		s.gateways.answers(answer{429, "source_limit", 0}) // which tells nothing of what is left
		b.post("/authen", "otp", guess)
	}
	b.post("/authen", "otp", "000003")
	b.post("/authen", "otp", "000003")
	keys := func(path string) (keys []string) {
		for _, r := range s.gateways.requests(path) {
			keys = append(keys, r.header.Get("Idempotency-Key"))
		}
		return keys
	}
	asked := keys(restapi.PathGetOTP)
	if len(asked) != 5 || asked[0] != "request-1" || asked[1] == "" || asked[1] == asked[0] || asked[3] == asked[4] {
		t.Errorf("codes were asked for under %q", asked)
	}
	guessed := keys(restapi.PathAuthen)
	if len(guessed) != 5 || guessed[0] == "" || guessed[0] != guessed[1] || guessed[1] == guessed[2] || guessed[3] == guessed[4] {
		t.Errorf("guesses went under %q", guessed)
	}
}

// The language of the session is the one last asked for; a link alone changes
// nothing but the page.
func TestLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toCode(somchai).says(t, `<html lang="en">`)
	p := b.get("/authen?lang=th").says(t, `<html lang="th">`, `name="lang" value="th"`)
	if len(p.Header.Values("Set-Cookie")) > 0 {
		t.Error("a link set a cookie")
	}
	b.get("/authen").says(t, `<html lang="en">`)
	b.post("/authen", "lang", "th", "otp", "111111").says(t, `<html lang="th">`)
	b.get("/authen").says(t, `<html lang="th">`)
	if c := b.get("/reg?lang=en").at(t, "/authen"); !strings.Contains(c.text, `<html lang="en">`) {
		t.Error("a redirect lost the language of the link")
	}
}

// The last button removes what the session holds.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toDone(somchai)
	old := b.token()
	b.post("/leave").at(t, "/")
	if b.token() != "" || len(s.redis.Keys()) != 0 {
		t.Errorf("left behind: cookie %q, keys %v", b.token(), s.redis.Keys())
	}
	b.cookies["__Host-sid"] = old
	b.get("/done").at(t, "/").says(t, "Your session has ended")
}

// An expired code is explained as such.
func TestExpiredCode(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"SESSION_IDLE": "15m"})
	b := s.browser(t)
	s.gateways.shortLived()
	b.toCode(somchai)
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(b.get("/authen").text, "The time of this code is over") {
		if time.Now().After(deadline) {
			t.Fatal("the page never says that the code is over")
		}
	}
	b.post("/authen", "otp", "111111").says(t, "The time of this code is over", `id="otp-error"`)
}

// The proof that came with the right code goes with the names, from another replica
// too, and is forgotten with what it is of.
func TestProof(t *testing.T) {
	t.Parallel()
	const proof = "k1.cHJvb2Y"
	s := newSite(t, nil)
	given := func() (proof string, ok bool) {
		requests := s.gateways.requests(restapi.PathRegister)
		proof, ok = requests[len(requests)-1].body["proof"]
		return proof, ok
	}
	names := []string{"firstname", "Somchai", "lastname", "Jaidee"}
	kept := func() bool {
		return slices.ContainsFunc(s.redis.Keys(), func(key string) bool {
			session, err := s.redis.Get(key)
			return err == nil && strings.Contains(session, proof)
		})
	}

	b := s.browser(t)
	s.gateways.proves(proof)
	p := b.toNames(somchai)
	if strings.Contains(p.text, proof) {
		t.Error("the page shows the proof")
	}
	b.handler = s.replica(t, nil)
	s.gateways.answers(answer{status: http.StatusUnprocessableEntity, reason: "bad_firstname"})
	b.post("/reg", names...).at(t, "/reg")
	if got, _ := given(); got != proof || !kept() {
		t.Errorf("names that were refused came with the proof %q", got)
	}
	b.post("/reg", names...).at(t, "/done")
	if got, _ := given(); got != proof {
		t.Errorf("the names came with the proof %q, want %q", got, proof)
	}
	if kept() {
		t.Error("the proof is kept when it is of no use any more")
	}

	b = s.browser(t)
	b.toNames("a@example.ac.th")
	s.gateways.proves("")
	b.toNames("b@example.ac.th")
	b.post("/reg", names...).at(t, "/done")
	if got, ok := given(); ok || kept() {
		t.Errorf("the names of b came with the proof %q of a", got)
	}

	b = s.browser(t)
	s.gateways.proves(proof)
	b.toNames("c@example.ac.th")
	s.gateways.lapse()
	b.post("/reg", names...).at(t, "/start")
	if kept() {
		t.Error("a proof is kept of an address that has to prove itself again")
	}
}
