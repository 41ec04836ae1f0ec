package security_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"matriq/test/harness"
)

// Threat: the lock tells what answers do not: it comes earlier, later or never for
// an address that is not on the list, has registered, or never asked. Promise:
// guess by guess, wherever the address stands, all answers are the same: the same
// guess is the last one of a code, the same brings the lock, the lock says the
// same time, and ends at the same.
//
// Each step is made for all addresses in a row, so that times that answers name
// may differ by what a row takes and by rounding.
func locksAlike(t *testing.T, s *system) {
	const aRow = 3 // seconds
	emails := map[string]string{"listed": s.listed(t), "unlisted": s.address(), "registered": s.listed(t)}
	if err := s.redis.HSet(t.Context(), "otp:registered", emails["registered"], s.clock(t).UnixMilli()).Err(); err != nil {
		t.Fatal(err)
	}
	step := func(what string, do func(email string) told) (first told) {
		first = do(emails["listed"])
		for _, kind := range []string{"unlisted", "registered"} {
			got := do(emails[kind])
			if got.text != first.text {
				t.Errorf("%s: listed is told\n%s\n%s is told\n%s", what, first.text, kind, got.text)
			}
			for where, seconds := range first.seconds {
				if other, ok := got.seconds[where]; !ok || other > seconds+aRow || other < seconds-aRow {
					t.Errorf("%s: %s is %.0f s for listed and %.0f s for %s", what, where, seconds, other, kind)
				}
			}
		}
		return first
	}
	ask := func(email string) told { return saidOf(email, s.client().ask(t, email)) }
	// Seven digits are no code of ours, and a guess all the same.
	guess := func(email string) told { return saidOf(email, s.client().try(t, email, "0000000")) }
	page := func(email string) told {
		p := s.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": email})
		return tells(email, p.Status, p.Header, p.URL.Path+p.Body)
	}

	step("a guess before any code", guess)
	seen := map[string]bool{}
	for i := range 4 {
		seen[step(fmt.Sprintf("code %d", i+1), ask).text] = true
		for j := range 6 { // one more than it bears
			seen[step(fmt.Sprintf("guess %d at code %d", j+1, i+1), guess).text] = true
		}
		for email := range maps.Values(emails) {
			s.pass(t, email, pauseAfter(i))
		}
	}
	locked := step("the lock", ask)
	seen[locked.text] = true
	step("a guess behind the lock", guess)
	step("the page behind the lock", page)
	if within := day.Seconds(); len(locked.seconds) == 0 || locked.seconds["Retry-After"] > within || locked.seconds["Retry-After"] < within-3600 {
		t.Errorf("the lock is said to hold for %v", locked.seconds)
	}
	// A code, five counts of what is left, the lock: else nothing was compared.
	const different = 7
	if len(seen) != different {
		t.Errorf("%d different answers were seen, want %d: %q", len(seen), different, slices.Collect(maps.Keys(seen)))
	}
	for email := range maps.Values(emails) {
		s.pass(t, email, day)
	}
	if after := step("the day after", ask); after.text == locked.text {
		t.Error("the lock holds after a day")
	}
	step("the page the day after", page)
}

// saidOf is what a gateway's answer tells about an address.
func saidOf(email string, a harness.Answer) told {
	return tells(email, a.Status, a.Header, string(a.Body))
}
