package ui_test

import (
	"net/http"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
)

// The gateways learn for whom they are asked, from the hops that are trusted.
func TestWhoIsForwarded(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"TRUSTED_PROXIES": "192.0.2.0/24"})
	b := s.browser(t) // httptest's peer is 192.0.2.1
	b.header["X-Forwarded-For"] = "198.51.100.9, 203.0.113.7"
	b.header["X-Request-ID"] = "request-1"
	b.toDone(somchai)
	b.get("/done").at(t, "/done")
	for _, path := range []string{restapi.PathGetOTP, restapi.PathAuthen, restapi.PathRegister, restapi.PathRegister + "/69000001"} {
		for _, r := range s.gateways.requests(path) {
			if got := r.header.Get("X-Forwarded-For"); got != "203.0.113.7" {
				t.Errorf("%s: X-Forwarded-For is %q", path, got)
			}
			if got := r.header.Get("X-Request-ID"); got != "request-1" {
				t.Errorf("%s: X-Request-ID is %q", path, got)
			}
		}
		if len(s.gateways.requests(path)) != 1 {
			t.Errorf("%s was asked %d times, want once", path, len(s.gateways.requests(path)))
		}
	}
	b.header["X-Request-ID"] = "bad id\x01"
	if got := b.get("/nope").Header.Get("X-Request-ID"); got == "" || strings.Contains(got, "bad") {
		t.Errorf("a request goes by %q", got)
	}
	stranger := newSite(t, nil).browser(t)
	stranger.header["X-Request-ID"] = "chosen-by-me"
	if got := stranger.get("/").Header.Get("X-Request-ID"); got == "" || got == "chosen-by-me" {
		t.Errorf("a stranger's request goes by %q", got)
	}
}

// A 503 is asked again where that repeats nothing, and told where it might.
func TestRepeats(t *testing.T) {
	t.Parallel()
	busy := answer{503, "unavailable", 7}
	for name, c := range map[string]struct {
		answer answer
		path   string
		do     func(b *browser) page
		want   int
		asked  int
	}{
		"register":         {busy, restapi.PathRegister, func(b *browser) page { return names(b) }, 303, 2},
		"ask":              {busy, restapi.PathGetOTP, func(b *browser) page { return b.send("POST", "/", form("email", somchai), nil) }, 503, 2},
		"not ours to call": {answer{401, "unauthenticated", 0}, restapi.PathRegister, func(b *browser) page { return names(b) }, 503, 1},
		"broken":           {answer{500, "internal", 0}, restapi.PathRegister, func(b *browser) page { return names(b) }, 503, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			b := s.browser(t)
			b.toNames(somchai)
			s.gateways.answers(c.answer)
			p := c.do(b)
			if p.StatusCode != c.want || len(s.gateways.requests(c.path)) != c.asked {
				t.Errorf("%d after %d requests, want %d after %d", p.StatusCode, len(s.gateways.requests(c.path)), c.want, c.asked)
			}
			if c.want == http.StatusSeeOther {
				return
			}
			want := "5"
			if c.answer.retryAfter > 0 {
				want = "7"
			}
			if got := p.Header.Get("Retry-After"); got != want {
				t.Errorf("Retry-After is %q, want %q", got, want)
			}
			p.says(t, "What you typed is kept", `in about <span data-countdown="`+want+`">`+want+" seconds</span>")
		})
	}
}

func names(b *browser) page {
	return b.send("POST", "/reg", form("firstname", "Som", "lastname", "Chai"), nil)
}

// What was typed goes with the page, and sending it again works.
func TestGatewayAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	for _, c := range []struct{ path, field, value, next string }{
		{"/", "email", somchai, "/authen"},
		{"/authen", "otp", rightCode, "/reg"},
		{"/resend", "", "", ""},
	} {
		s.gateways.answers(answer{503, "unavailable", 3})
		p := b.send(http.MethodPost, c.path, form(c.field, c.value, "lang", "th"), nil)
		if c.path == "/resend" {
			continue // the journey is further by now: nothing is asked
		}
		if p.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("POST %s = %d, want 503", c.path, p.StatusCode)
		}
		p.says(t, `action="`+c.path+`"`, `name="`+c.field+`" value="`+c.value+`"`, "ข้อมูลที่ท่านกรอกยังอยู่ครบ")
		b.post(c.path, c.field, c.value).at(t, c.next)
	}
}

// No log has a phrase, a code, a session's token or an address.
func TestLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	b.toCode(somchai)
	for _, a := range []answer{{401, "unauthenticated", 0}, {500, "internal", 0}, {503, "unavailable", 1}} {
		s.gateways.answers(a)
		b.send(http.MethodPost, "/authen", form("otp", rightCode), nil)
	}
	s.gateways.Close()
	b.send(http.MethodPost, "/authen", form("otp", rightCode), nil)
	s.redis.Close()
	b.send(http.MethodPost, "/authen", form("otp", rightCode), nil)
	log := s.log.String()
	if strings.Count(log, "\n") < 5 {
		t.Fatalf("five failures left these lines:\n%s", log)
	}
	for _, secret := range []string{phrase, rightCode, b.token(), somchai, "somchai"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}
