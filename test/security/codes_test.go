package security_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// codeTrials are attacks on the one-time code.
func codeTrials() []trial {
	return []trial{
		{"ParallelGuesses", parallelGuesses},
		{"ParallelRightCodes", parallelRightCodes},
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
