package ui_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"matriq/pkg/api/restapi"
)

// While too many are under way, who begins is asked to come later, before a gateway
// or Redis is asked, and who has begun goes on.
func TestTurnsAwayWhoBegins(t *testing.T) {
	t.Parallel()
	for lang, says := range map[string][]string{
		"en": {"What you typed is kept", "Please try again in about"},
		"th": {"ข้อมูลที่ท่านกรอกยังอยู่ครบ", "โปรดลองใหม่ในอีกประมาณ"},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, map[string]string{"ADMISSION_FLOOR": "1", "ADMISSION_TARGET": "1ms"})
			over := s.crowd(t)
			stranger := s.browser(t)
			commands := s.redis.CommandCount()
			asked := len(s.gateways.requests(restapi.PathGetOTP))
			const typed = `"><b>somchai@example.ac.th`
			stranger.cookies["__Host-sid"] = "nobody's, and not looked at"
			p := stranger.send(http.MethodPost, "/", form("email", typed, "lang", lang), nil)
			wait := p.Header.Get("Retry-After")
			if p.StatusCode != http.StatusServiceUnavailable || wait != "2" || p.Header.Get("Cache-Control") != "no-store" || p.Header.Get("Content-Language") != lang {
				t.Errorf("answer %d %v", p.StatusCode, p.Header)
			}
			p.says(t, append(says, `name="email" value="`+html.EscapeString(typed)+`"`, `data-countdown="`+wait+`"`, `action="/"`)...)
			checkHTML(t, "busy", p.text)
			if strings.Contains(p.text, "to-come") || len(p.Cookies()) > 0 {
				t.Errorf("something is missing, or is set: %v\n%s", p.Cookies(), p.text)
			}
			if s.redis.CommandCount() != commands || len(s.gateways.requests(restapi.PathGetOTP)) != asked {
				t.Error("Redis or a gateway was asked for somebody who was turned away")
			}
			over()
			stranger.post("/", "email", somchai).at(t, "/authen")
		})
	}
}

// people are more than a floor of 1 bears, even for a moment.
const people = 8

// crowd has people prove their addresses, all at once, until it is told that it is
// over.
func (s *site) crowd(t *testing.T) (over func()) {
	t.Helper()
	var crowd []*browser
	for range people {
		b := s.browser(t)
		b.toCode(somchai)
		crowd = append(crowd, b)
	}
	return s.all(restapi.PathAuthen, func(i int) {
		if p := crowd[i].send(http.MethodPost, "/authen", form("otp", "000000"), nil); p.StatusCode != http.StatusSeeOther {
			t.Errorf("who has begun is answered %d", p.StatusCode)
		}
	})
}

// all has everybody wait for the gateway's answer at a path.
func (s *site) all(path string, do func(int)) (over func()) {
	var under sync.WaitGroup
	var held []*gate
	for i := range people {
		g := s.gateways.holdNext(path)
		under.Go(func() { do(i) })
		<-g.arrived
		held = append(held, g)
	}
	return func() {
		for _, g := range held {
			close(g.open)
		}
		under.Wait()
	}
}

// BenchmarkTurnedAway measures what it costs to turn somebody away.
func BenchmarkTurnedAway(b *testing.B) {
	s := newSite(b, map[string]string{"ADMISSION_FLOOR": "1", "ADMISSION_TARGET": "1ms"})
	ask := func(w http.ResponseWriter) {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", strings.NewReader("email=somchai%40example.ac.th&lang=en"))
		r.Host = "register.example.ac.th"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		s.handler.ServeHTTP(w, r)
	}
	defer s.all(restapi.PathGetOTP, func(int) { ask(httptest.NewRecorder()) })()
	b.ReportAllocs()
	for b.Loop() {
		ask(&discard{header: http.Header{}})
	}
}
