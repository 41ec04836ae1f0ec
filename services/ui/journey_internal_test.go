package ui

import (
	"testing"
	"time"
)

// The last page asks for the progress again as soon as there may be some, and with
// a clock that is behind not for longer.
func TestJustRegistered(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for name, c := range map[string]struct {
		registered time.Time
		after      time.Duration
		want       bool
	}{
		"at once":                     {at, 0, true},
		"a moment later":              {at, 900 * time.Millisecond, true},
		"later":                       {at, time.Second, false},
		"a clock that is behind":      {at, -300 * time.Millisecond, true},
		"a clock that is far behind":  {at, -time.Minute, false},
		"of a replica before this":    {time.Time{}, 0, false},
		"a time that does not fit":    {time.Unix(1<<40, 0), 0, false},
		"a time long before the time": {time.Unix(-1<<40, 0), 0, false},
	} {
		if got := (journey{Registered: c.registered}).justRegistered(at.Add(c.after)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
