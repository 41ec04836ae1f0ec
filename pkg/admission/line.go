package admission

import (
	"math/rand/v2"
	"time"
)

const (
	// shortest is the least that anybody is told to wait.
	shortest = 2 * time.Second
	// longest is where the line ends. Who comes behind is told to come about then,
	// within a quarter of it before or after.
	longest = time.Minute
	// slowest is how many a second are served, as far as the line is concerned,
	// when nobody has been for long.
	slowest = 1
)

// line gives those who are turned away a time each, one after the other, as far
// apart as first steps are served. Nobody stands in it: it is only the time up to
// which it has been given away.
type line struct {
	end time.Time
	// What is served by two measures: one that knows soon when many are, and one
	// that does not forget at once when nobody is for a moment.
	now, lately rate
	// guess is what will be served, as long as it has not been seen: nobody was
	// there before the rush.
	guess float64
}

func newLine(guess float64) line {
	return line{now: newRate(ratePeriod), lately: newRate(rateMemory), guess: guess}
}

func (l *line) served(now time.Time) {
	l.now.add(now)
	l.lately.add(now)
}

// next is when the next one is to come: in whole seconds, rounded up.
func (l *line) next(now time.Time) time.Duration {
	if l.end.Before(now) { // nobody has been turned away for a while
		l.lately.atLeast(l.guess, now)
	}
	if soonest := now.Add(shortest); l.end.Before(soonest) {
		l.end = soonest
	}
	wait := l.end.Sub(now)
	if wait > longest {
		wait = longest*3/4 + rand.N(longest/2) //nolint:gosec // it spreads people, and hides nothing
		return wholeSeconds(wait)
	}
	perSecond := max(l.now.at(now), l.lately.at(now), slowest)
	l.end = l.end.Add(time.Duration(float64(time.Second) / perSecond))
	return wholeSeconds(wait)
}

func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
