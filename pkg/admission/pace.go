package admission

import "time"

const (
	// headroom is by how much more may begin than were served of late, so that a
	// machine that bears more is found out.
	headroom = 1.05
	// atOnce is for how long ahead they may begin together.
	atOnce = 50 * time.Millisecond
)

// pace spreads those who begin over the time in which what they bring is served.
type pace struct{ next time.Time }

// turn tells whether somebody may begin now, who counts then.
func (p *pace) turn(now time.Time, perSecond float64) bool {
	if p.next.After(now) {
		return false
	}
	if earliest := now.Add(-atOnce); p.next.Before(earliest) {
		p.next = earliest
	}
	p.next = p.next.Add(time.Duration(float64(time.Second) / perSecond))
	return true
}
