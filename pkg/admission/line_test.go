package admission_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/admission"
)

// Who is turned away at the same moment is told to come one after the other, as
// fast as people are served.
func TestGate_SpreadsWhoComesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1, 20*time.Millisecond, usual()) // 50 a second
		s.arrive(t, 40, 20*time.Second, 0)
		told := s.turnAway(t, 500)
		for wait, people := range told {
			if wait < 2*time.Second || wait > 20*time.Second || people > 90 {
				t.Errorf("%d of 500 are told to come in %v", people, wait)
			}
		}
		if len(told) < 6 {
			t.Errorf("500 are told to come at %d times, of which each is %v", len(told), told)
		}
	})
}

// The line ends at a minute; who comes behind is told to come about then.
func TestGate_TellsAMinuteAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := newServer(1, time.Second, usual()).turnAway(t, 10_000)
		behind := 0
		for wait, people := range told {
			if wait > 75*time.Second {
				t.Errorf("%d are told to come in %v", people, wait)
			}
			if wait >= 45*time.Second {
				behind += people
			}
			if people > 10_000/20 {
				t.Errorf("%d come together in %v", people, wait)
			}
		}
		if behind < 6000 {
			t.Errorf("%d of 10000 are told to come in about a minute", behind)
		}
	})
}

// At the opening nobody has been served yet: people are told what the floor lets
// expect.
func TestGate_GuessesAtTheOpening(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := newServer(4, 20*time.Millisecond, usual()).turnAway(t, 600) // 24 in 300 ms are 80 a second
		for wait, people := range told {
			if wait > 10*time.Second || people > 81 {
				t.Errorf("%d of 600 are told to come in %v", people, wait)
			}
		}
	})
}

// When nobody has been turned away for a while the line begins anew.
func TestGate_TheLineIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1, 20*time.Millisecond, usual())
		s.arrive(t, 40, 20*time.Second, 0)
		s.turnAway(t, 500)
		s.arrive(t, 40, 20*time.Second, 0)
		if told := s.turnAway(t, 1); told[2*time.Second] != 1 {
			t.Errorf("one who is turned away when there is no line is told %v", told)
		}
	})
}

// turnAway closes the gate and has people come, all at once; they are counted by
// what they are told.
func (s *server) turnAway(t *testing.T, people int) map[time.Duration]int {
	t.Helper()
	told := map[time.Duration]int{}
	var steps []admission.Step
	for range 10_000 {
		steps = append(steps, s.gate.Later())
	}
	for range people {
		_, err := s.gate.First()
		refused, ok := errors.AsType[*admission.RefusedError](err)
		if !ok {
			t.Fatalf("the gate is open: %v", err)
		}
		told[refused.After]++
	}
	for _, step := range steps {
		step.End(false)
	}
	return told
}
