package security_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/test/harness"
)

// codeTrials are attacks on the one-time code.
func codeTrials() []trial {
	return []trial{
		{"ParallelGuesses", parallelGuesses},
		{"ParallelRightCodes", parallelRightCodes},
		{"ReplayAfterSuccessAndRestart", replayAfterRestart},
		{"BoundarySecond", boundarySecond},
		{"ResendsDoNotRefillTheDay", resendsDoNotRefill},
		{"TenMailsADay", tenMailsADay},
		{"LockedOutNoLongerThanTheWindow", lockedNoLonger},
		{"OperatorUnlocks", operatorUnlocks},
		{"LocksAlike", locksAlike},
	}
}

// together runs do n times at once, as nearly as one machine can.
func together(n int, do func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			do(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}

// Threat: who guesses at a thousand replicas at once gets a thousand times five
// guesses. Promise: a code bears five guesses, counted before they are compared,
// however many replicas are asked at once; the sixth fails even when it is right.
//
// Twenty wrong guesses lock the address for a day. Four codes with 500 guesses
// each use up exactly those: were one guess more counted, the lock would be there
// before the fourth code; were one less, not after it.
func parallelGuesses(t *testing.T, s *system) {
	email := s.listed(t)
	const codes, guesses = 4, 500
	for round := range codes {
		c := s.client()
		code := s.codeFor(t, c, email)
		all := wrongCodes(code, guesses)
		var right atomic.Int64
		together(guesses, func(i int) {
			// A source of its own for each: no limit but that of the code.
			reply, err := s.client().decide(t.Context(), email, all[i])
			if err != nil {
				t.Error(err)
			}
			right.Add(int64(reply.Results))
		})
		if right.Load() != 0 {
			t.Fatalf("round %d: %d of %d wrong guesses were right", round, right.Load(), guesses)
		}
		if c.guess(t, email, code) {
			t.Fatalf("round %d: the right code was accepted after %d wrong guesses", round, guesses)
		}
		if failed := s.redis.LLen(t.Context(), "otp:failed:"+email).Val(); failed != int64(5*(round+1)) {
			t.Errorf("round %d: %d wrong guesses are counted, want %d", round, failed, 5*(round+1))
		}
		s.pass(t, email, pauseAfter(round))
	}
	refused(t, s.client().ask(t, email), "address_locked", day)
}

// wrongCodes returns n different codes, none of them code.
func wrongCodes(code string, n int) []string {
	list := make([]string, 0, n)
	for len(list) < n {
		guess := fmt.Sprintf("%06d", rand.IntN(1_000_000)) //nolint:gosec // G404: a guess
		if guess != code && !slices.Contains(list, guess) {
			list = append(list, guess)
		}
	}
	return list
}

// Threat: two replicas that both compare before either writes accept one code
// twice. Promise: of 50 right guesses at once one is right.
func parallelRightCodes(t *testing.T, s *system) {
	for range 4 {
		email := s.listed(t)
		code := s.codeFor(t, s.client(), email)
		var right atomic.Int64
		together(50, func(int) {
			reply, err := s.client().decide(t.Context(), email, code)
			if err != nil {
				t.Error(err)
			}
			right.Add(int64(reply.Results))
		})
		if right.Load() != 1 {
			t.Errorf("%d of 50 right codes were accepted, want 1", right.Load())
		}
		s.client().RegisterStudent(t, "Malee", "Jaidee", email)
	}
}

// Threat: a code that was used, or that a shoulder-surfer has read, is used
// again. Promise: a spent code is refused for ever, also by replicas that have
// not seen it and by those that start later.
func replayAfterRestart(t *testing.T, s *system) {
	email := s.listed(t)
	c := s.client()
	code := s.codeFor(t, c, email)
	if !c.guess(t, email, code) {
		t.Fatal("the right code was refused")
	}
	for range 6 { // every replica of the gateway, and likely of otp
		if c.guess(t, email, code) {
			t.Fatal("a spent code was accepted")
		}
	}
	for _, service := range []string{"otp", "otp-gateway"} {
		for range s.Replicas(service) {
			s.Replace(t, service, 0)
		}
	}
	if c.guess(t, email, code) {
		t.Error("a spent code was accepted after all replicas were replaced")
	}
}

// Threat: a code is accepted after its end by a replica whose clock is late, or
// refused early. Promise: accepted while now < expiry, refused at equality, by
// Redis's clock.
//
// Redis's clock is read before and after each guess: where both are on one side
// of the expiry, the verdict is certain.
func boundarySecond(t *testing.T, s *system) {
	var early, late int
	for i := range 24 {
		email := s.listed(t)
		c := s.client()
		code := s.codeFor(t, c, email)
		end := s.clock(t).Add(150 * time.Millisecond).Truncate(time.Millisecond)
		s.expireAt(t, email, end)
		aim := end.Add(time.Duration(i-16) * 3 * time.Millisecond)
		var before time.Time
		for before = s.clock(t); before.Before(aim); before = s.clock(t) { //nolint:revive // nothing to do but look
		}
		right := c.guess(t, email, code)
		switch after := s.clock(t); {
		case after.Before(end):
			early++
			if !right {
				t.Errorf("refused %v before the end of its life", end.Sub(after))
			}
		case !before.Before(end):
			late++
			if right {
				t.Errorf("accepted %v after the end of its life", before.Sub(end))
			}
		}
	}
	if early < 3 || late < 3 {
		t.Errorf("%d guesses were surely in time and %d surely late; want 3 of each to tell anything", early, late)
	}
}

// Threat: who asks for a new code before the last is exhausted guesses for ever.
// Promise: a resend does not refill the attempts of the day.
func resendsDoNotRefill(t *testing.T, s *system) {
	email := s.listed(t)
	for range 5 {
		c := s.client()
		code := s.codeFor(t, c, email)
		for range 4 {
			if c.guess(t, email, wrong(code)) {
				t.Fatal("a wrong code was accepted")
			}
		}
		s.pass(t, email, time.Hour)
	}
	refused(t, s.client().ask(t, email), "address_locked", day)
}

// Threat: a stranger floods somebody's mailbox. Promise: an address gets at most
// ten mails in any 24 hours, however often and from wherever it is asked for.
func tenMailsADay(t *testing.T, s *system) {
	email := s.listed(t)
	const step = 10 * time.Minute
	var sent []time.Duration
	for now := time.Duration(0); now < 2*day; now += step {
		switch a := s.client().ask(t, email); a.Status {
		case http.StatusOK:
			sent = append(sent, now)
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("getotp is answered with %d: %s", a.Status, a.Body)
		}
		s.pass(t, email, step)
	}
	for i, first := range sent {
		if i+10 < len(sent) && sent[i+10] < first+day {
			t.Errorf("mails at %v: more than ten in 24 hours", sent)
			break
		}
	}
	eventually(t, "as many mails as codes", time.Minute, func() bool { return len(s.Mail.Messages(email)) >= len(sent) })
	if mails := len(s.Mail.Messages(email)); mails != len(sent) || len(sent) != 20 {
		t.Errorf("%d codes and %d mails in 48 hours, want 20 of each", len(sent), mails)
	}
}

// lockOut burns the guesses of an address, as a stranger would.
func lockOut(t *testing.T, s *system, email string) {
	t.Helper()
	for round := range 4 {
		c := s.client()
		code := s.codeFor(t, c, email)
		for range 5 {
			c.guess(t, email, wrong(code))
		}
		s.pass(t, email, pauseAfter(round))
	}
	refused(t, s.client().ask(t, email), "address_locked", day)
}

// Threat: a stranger who knows an address keeps its owner out by wrong guesses.
// Promise: no longer than 24 hours after the first of them, however much the
// stranger asks and guesses meanwhile. The page tells the owner when.
func lockedNoLonger(t *testing.T, s *system) {
	email := s.listed(t)
	lockOut(t, s, email)
	page := s.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": email})
	page.Has(t, "/start", "Too many wrong codes were entered for this address", "try again in")

	wait := refused(t, s.client().ask(t, email), "address_locked", day)
	const step = 30 * time.Minute
	for passed := time.Duration(0); passed < wait; passed += step {
		s.client().ask(t, email)
		for _, guess := range wrongCodes("", 5) {
			s.client().guess(t, email, guess)
		}
		if again := refused(t, s.client().ask(t, email), "address_locked", day); again > wait-passed+time.Second {
			t.Fatalf("%v after the lock it is said to hold for %v, want %v", passed, again, wait-passed)
		}
		s.pass(t, email, min(step, wait-passed))
	}
	c := s.client()
	if !c.guess(t, email, s.codeFor(t, c, email)) {
		t.Fatal("the owner's code is refused after the window")
	}
	c.RegisterStudent(t, "Malee", "Jaidee", email)
}

// Promise: an operator lifts the lock at once, by matriq unlock.
func operatorUnlocks(t *testing.T, s *system) {
	email := s.listed(t)
	lockOut(t, s, email)
	for _, want := range []string{"unlocked", "nothing was counted for this address"} {
		said, code := harness.Run(t, "unlock", "--amqp", s.AMQPURL, strings.ToUpper(email))
		if code != 0 || strings.TrimSpace(said) != want {
			t.Fatalf("matriq unlock: exit code %d, %q; want %q", code, said, want)
		}
	}
	c := s.client()
	if !c.guess(t, email, s.codeFor(t, c, email)) {
		t.Error("the owner's code is refused after the unlock")
	}
}
