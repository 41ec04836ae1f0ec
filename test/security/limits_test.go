package security_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// limitTrials are attacks from many addresses, or from one.
func limitTrials() []trial {
	return []trial{
		{"SourceAsksThroughAnyReplica", sourceAsks},
		{"SourceGuessesAtManyAddresses", sourceGuesses},
		{"ForgedSource", forgedSource},
		{"HoppingInIPv6", hoppingInIPv6},
	}
}

const (
	sourceWindow     = 10 * time.Minute
	sourceLimit      = 30
	sourceGuessLimit = 50
)

// Threat: one machine asks for codes for everybody. Promise: 30 requests in 10
// minutes from one source, whichever replica of the pages, the gateway and otp it
// meets; then 429 with Retry-After, and the page says so.
func sourceAsks(t *testing.T, s *system) {
	c := s.client()
	for i := range sourceLimit {
		if a := c.ask(t, s.address()); a.Status != http.StatusOK {
			t.Fatalf("request %d is answered with %d: %s", i+1, a.Status, a.Body)
		}
	}
	refused(t, c.ask(t, s.address()), "source_limit", sourceWindow)

	source := s.source()
	for i := range sourceLimit {
		email := s.address()
		page := harness.NewPerson(t, s.UI.URL, "en").From(source).Open(t, "/").Submit(t, map[string]string{"email": email})
		if page.URL.Path != "/authen" {
			t.Fatalf("person %d is at %s:\n%s", i+1, page.URL, page.Text())
		}
	}
	page := harness.NewPerson(t, s.UI.URL, "en").From(source).Open(t, "/").Submit(t, map[string]string{"email": s.address()})
	page.Has(t, "/start", "Too many requests come from your network")
}

// Threat: one machine tries one guess at each of a million addresses, so that no
// address counts more than one. Promise: 50 wrong guesses in 10 minutes from one
// source, at whatever addresses; then its guesses are refused unseen, and cost
// nobody an attempt.
func sourceGuesses(t *testing.T, s *system) {
	email := s.listed(t)
	source := s.source()
	owner, attacker := s.client(), s.clientFrom(source)
	code := s.codeFor(t, owner, email)
	for i := range sourceGuessLimit {
		if a := attacker.try(t, s.address(), "123456"); a.Status != http.StatusOK {
			t.Fatalf("guess %d is answered with %d: %s", i+1, a.Status, a.Body)
		}
	}
	for range 5 {
		refused(t, attacker.try(t, email, wrong(code)), "source_limit", sourceWindow)
	}
	refused(t, attacker.try(t, email, code), "source_limit", sourceWindow)
	page := harness.NewPerson(t, s.UI.URL, "en").From(source).Open(t, "/").Submit(t, map[string]string{"email": s.listed(t)})
	page.Submit(t, map[string]string{"otp": "123456"}).Has(t, "/authen", "Too many requests come from your network")
	if !owner.guess(t, email, code) {
		t.Error("the owner's code was spent by refused guesses")
	}
}

// forward asks for a code at one replica of the gateway, as a proxy at peer would
// that tells the given hops.
func forward(t *testing.T, s *system, peer, hops string) harness.Answer {
	t.Helper()
	g := s.Gateways()
	g.OTP = "http://" + s.Replicas("otp-gateway")[int(s.people.Load())%3].HTTP
	g.HTTP = &http.Client{Transport: withHops{harness.ClientFrom(peer).Transport, hops}}
	return g.PostJSON(t, g.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: s.address()})
}

// withHops adds X-Forwarded-For.
type withHops struct {
	http.RoundTripper
	hops string
}

// RoundTrip implements [http.RoundTripper].
func (w withHops) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header["X-Forwarded-For"] = []string{w.hops}
	for _, other := range []string{"X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip"} {
		r.Header[other] = []string{w.hops}
	}
	return w.RoundTripper.RoundTrip(r)
}

// Threat: whoever writes X-Forwarded-For himself is a new source with each
// request. Promise: only trusted proxies are believed, and of their list only the
// right-most hop that is not trusted itself; of other headers nothing.
func forgedSource(t *testing.T, s *system) {
	for name, test := range map[string]struct {
		peer string
		hops func(i int) string
	}{
		"a peer that is not trusted":     {s.source(), func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }},
		"one that claims to be the edge": {s.source(), func(int) string { return "127.0.0.1" }},
		"the left end behind the edge":   {"127.0.0.1", func(i int) string { return fmt.Sprintf("198.51.100.%d, 203.0.113.1", i) }},
		"a trusted hop on the left":      {"127.0.0.1", func(i int) string { return fmt.Sprintf("198.51.100.%d, 127.0.0.1, 203.0.113.2, 127.0.0.1", i) }},
		"one address in many spellings": {"127.0.0.1", func(i int) string {
			return []string{"203.0.113.3", "::ffff:203.0.113.3", "203.0.113.3:4711", " 203.0.113.3 "}[i%4]
		}},
		"no address on the left of the source": {"127.0.0.1", func(i int) string { return fmt.Sprintf("unknown-%d, 203.0.113.4", i) }},
	} {
		for i := range sourceLimit {
			if a := forward(t, s, test.peer, test.hops(i)); a.Status != http.StatusOK {
				t.Fatalf("%s: request %d is answered with %d: %s", name, i+1, a.Status, a.Body)
			}
		}
		for i := range 4 {
			refused(t, forward(t, s, test.peer, test.hops(sourceLimit+i)), "source_limit", sourceWindow)
		}
	}
}

// Threat: a machine with an IPv6 network of its own has 2^64 addresses to hop
// through. Promise: a /64 counts as one source; the next one is another.
func hoppingInIPv6(t *testing.T, s *system) {
	hop := func(i int) string { return fmt.Sprintf("2001:db8:0:1:%x:%x::1", i*7919%65536, i) }
	for i := range sourceLimit {
		if a := forward(t, s, "127.0.0.1", hop(i)); a.Status != http.StatusOK {
			t.Fatalf("request %d is answered with %d: %s", i+1, a.Status, a.Body)
		}
	}
	refused(t, forward(t, s, "127.0.0.1", hop(sourceLimit)), "source_limit", sourceWindow)
	if a := forward(t, s, "127.0.0.1", "2001:db8:0:2::1"); a.Status != http.StatusOK {
		t.Errorf("another /64 is answered with %d: %s", a.Status, a.Body)
	}
}
