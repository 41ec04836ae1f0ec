// Package admission keeps a program quick when more people come than it can bear:
// it turns first steps away, at once, so that those who are let in are served in
// time.
//
// A [Gate] counts the steps under way. By Little's law they are as many as are
// served in a second, times how long each takes: while each takes less than the
// target, there are fewer than rate × target. That product is the limit, with the
// greatest rate that was measured of late. A first step that finds the limit
// reached is turned away; a later one never is, but is counted, so that people who
// have begun leave less room for people who have not. What the steps wait for, a
// processor, a queue or a database, does not matter.
//
// Two things keep the gate open where nothing is wrong. Fewer steps than a floor
// are always let in: a machine may be slow without being full. And the limit has to
// be reached for a while, [burst], before anybody is turned away: people who come
// all at once are served as they come, until it is seen that they are too many.
//
// From then on there is a crowd, until nobody has been turned away for as long. In a
// crowd fewer may be under way than the target allows: so many that a step takes some
// times, [slowed], what it takes where few are under way. More would be served no
// sooner, and would only wait, also in front of those who are turned away. What a step
// takes among few is measured whenever there are few, and remembered while there are
// many; a machine that has become slow meanwhile brings the limit down to the floor, and
// there it is measured anew. And people begin one after the other, as fast as visits are
// served: each brings later steps, and all who are let in while there is room would go
// on together.
//
// Who is turned away is told when to come again, each another time, one after the
// other at the rate at which first steps are served: a line without a queue.
//
// Not promised: that who comes again is let in, or in which order. And a gate sees
// what its own replica is asked and nothing of when people will go on, or whether
// they will: beyond the pace it answers to later steps only when they are there.
package admission

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// burst is how long the limit may be exceeded before anybody is turned away.
	burst = 500 * time.Millisecond
	// flood is how many times the limit is not exceeded even for that long.
	flood = 8
	// slowed is how many times as long a step may take in a crowd as it does among few.
	slowed = 3
	// ratePeriod is how far back the rate looks.
	ratePeriod = time.Second
	// rateMemory is how long a greater rate is remembered: a disk that stands still
	// for a second is no smaller machine, and who lets fewer in sees fewer served.
	rateMemory = 10 * time.Second
)

// Options are what a gate works with.
type Options struct {
	Config
	// Steps is how many a visit has, of somebody who begins and goes on to its end; 0
	// counts as 1.
	Steps int
	// Service is the service label of the metrics.
	Service string
	// Metrics registers the matriq_admission_ metrics; none are kept if nil.
	Metrics prometheus.Registerer
}

// Gate lets steps in. It is safe for concurrent use.
type Gate struct {
	cfg   Config
	steps float64 // of a visit

	mu       sync.Mutex
	underWay int
	amongFew mean // of how long steps take that begin below the floor
	pace     pace
	refused  time.Time // when somebody was, last
	// full is since when the limit has been reached, free since when it has not;
	// zero: patience has been granted anew, and it has been reached.
	full, free time.Time
	served     peak // all steps
	line       line
	counts     counts
}

// New returns an open gate.
func New(o Options) *Gate {
	g := &Gate{cfg: o.Config, steps: float64(max(1, o.Steps)), served: newPeak(ratePeriod, rateMemory)}
	if o.Target > 0 {
		g.line = newLine(float64(o.Floor) / o.Target.Seconds())
	}
	g.observe(o)
	return g
}

// Step is one that was let in.
type Step struct {
	gate     *Gate
	first    bool
	amongFew bool
	began    time.Time
}

// RefusedError tells a first step to come again.
type RefusedError struct {
	// After is when; whole seconds.
	After time.Duration
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("too many are under way, come again in %v", e.After)
}

// First lets somebody in who begins, or fails with a [*RefusedError]. It takes
// microseconds at most.
func (g *Gate) First() (Step, error) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed(now) || g.early(now) {
		g.refused = now
		g.counts.refused.Inc()
		return Step{}, &RefusedError{After: g.line.next(now)}
	}
	return g.enter(true, now), nil
}

// Later lets somebody go on who has begun.
func (g *Gate) Later() Step {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed(now) // notes that the limit is reached
	return g.enter(false, now)
}

func (g *Gate) enter(first bool, now time.Time) Step {
	g.underWay++
	return Step{gate: g, first: first, amongFew: g.underWay <= g.cfg.Floor, began: now}
}

// End ends a step, once. What was not served, such as a call that found nobody,
// says nothing of what can be.
func (s Step) End(served bool) {
	now := time.Now()
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.gate.ended(s, served, now)
}

func (g *Gate) ended(s Step, served bool, now time.Time) {
	g.underWay--
	if g.underWay < g.limit(now) {
		g.below(now)
	}
	if !served {
		return
	}
	g.served.add(now)
	if s.amongFew {
		g.amongFew.add(now.Sub(s.began))
	}
	if s.first {
		g.line.served(now)
	}
}

// closed tells whether no first step is let in. The patience of [burst] is granted anew
// once the limit has not been reached and nobody has been turned away for as long: where
// as many as can be borne are under way all the time, each place that gets free would let
// a burst in.
func (g *Gate) closed(now time.Time) bool {
	if g.cfg.Target <= 0 {
		return false
	}
	limit := g.limit(now)
	if g.underWay < limit {
		g.below(now)
		return false
	}
	g.free = time.Time{}
	if g.full.IsZero() {
		g.full = now
	}
	return g.crowded(now) || g.underWay >= flood*limit
}

// crowded tells whether there is a crowd: the patience is at its end.
func (g *Gate) crowded(now time.Time) bool { return !g.full.IsZero() && now.Sub(g.full) >= burst }

// early tells whether a first step in a crowd has to let others go first.
func (g *Gate) early(now time.Time) bool {
	return g.underWay >= g.cfg.Floor && g.crowded(now) && !g.pace.turn(now, headroom*g.served.at(now)/g.steps)
}

// below notes that the limit is not reached.
func (g *Gate) below(now time.Time) {
	if g.free.IsZero() {
		g.free = now
	}
	if now.Sub(g.free) >= burst && now.Sub(g.refused) >= burst {
		g.full = time.Time{}
	}
}

// limit is how many steps may be under way.
func (g *Gate) limit(now time.Time) int {
	target := g.cfg.Target
	if few := g.amongFew.value; few > 0 && g.crowded(now) {
		target = min(target, slowed*few)
	}
	return max(g.cfg.Floor, int(g.served.at(now)*target.Seconds()))
}
