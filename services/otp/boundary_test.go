package otp_test

import (
	"testing"
	"time"

	"matriq/services/otp"
)

// Every limit holds up to its last millisecond and not at the moment itself.
func TestStore_boundaries(t *testing.T) {
	t.Parallel()
	asks := func(t *testing.T, d desk) bool {
		t.Helper()
		_, err := d.ask(t.Context(), right)
		return err == nil
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, desk)
		after   time.Duration
		// open tells whether what the limit forbids is possible.
		open func(*testing.T, desk) bool
	}{
		"a code's life": {
			prepare: func(t *testing.T, d desk) { t.Helper(); d.mustAsk(t, right) },
			after:   10 * time.Minute,
			open: func(t *testing.T, d desk) bool {
				t.Helper()
				ok, err := d.guess(t.Context(), right)
				return err == nil && !ok
			},
		},
		"the pause": {
			prepare: func(t *testing.T, d desk) { t.Helper(); d.mustAsk(t, right) },
			after:   time.Minute,
			open:    asks,
		},
		"the hour": {
			prepare: func(t *testing.T, d desk) {
				t.Helper()
				for i := range 5 {
					d.mustAsk(t, right)
					if i < 4 {
						d.move(t, time.Minute<<i)
					}
				}
			},
			after: 45 * time.Minute,
			open:  asks,
		},
		"the day": {
			prepare: func(t *testing.T, d desk) {
				t.Helper()
				for range 10 {
					d.mustAsk(t, right)
					d.move(t, time.Hour)
				}
			},
			after: 14 * time.Hour,
			open:  asks,
		},
		"the lock": {
			prepare: func(t *testing.T, d desk) {
				t.Helper()
				for range 4 {
					d.mustAsk(t, right)
					for range 5 {
						d.mustGuess(t, wrong, false)
					}
					d.move(t, time.Hour)
				}
			},
			after: 20 * time.Hour,
			open:  asks,
		},
		"the proof": {
			prepare: func(t *testing.T, d desk) {
				t.Helper()
				d.mustAsk(t, right)
				d.mustGuess(t, right, true)
			},
			after: 15 * time.Minute,
			open:  func(t *testing.T, d desk) bool { t.Helper(); return !d.standing(t).Verified },
		},
		"the source": {
			prepare: func(t *testing.T, d desk) {
				t.Helper()
				for range 30 {
					if err := askFrom(t, d, address()); err != nil {
						t.Fatal(err)
					}
				}
			},
			after: 10 * time.Minute,
			open:  func(t *testing.T, d desk) bool { t.Helper(); return askFrom(t, d, address()) == nil },
		},
	} {
		for moment, want := range map[time.Duration]bool{c.after - time.Millisecond: false, c.after: true} {
			t.Run(name+" "+moment.String(), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, inMemory(t), rules(t))
				d.list(t)
				c.prepare(t, d)
				d.move(t, moment)
				if got := c.open(t, d); got != want {
					t.Errorf("open is %v, want %v", got, want)
				}
			})
		}
	}
}

func askFrom(t *testing.T, d desk, who string) error {
	t.Helper()
	_, err := d.Issue(t.Context(), otp.Ask{
		Address: who, Source: d.source, Digest: d.pepper.Digest(who, right), Refs: [2]string{"BCD", "FGH"},
	})
	return err
}
