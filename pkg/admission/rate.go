package admission

import (
	"math"
	"time"
)

// rate is how many there are in a second. Those of the past count the less the
// longer they are past.
type rate struct {
	period float64 // seconds until one counts as e⁻¹
	value  float64 // at the time of last
	last   time.Time
}

func newRate(period time.Duration) rate { return rate{period: period.Seconds()} }

// add counts one.
func (r *rate) add(now time.Time) {
	r.value, r.last = r.at(now)+1/r.period, now
}

// atLeast takes a rate for true that was not measured. It is forgotten as others
// are.
func (r *rate) atLeast(value float64, now time.Time) {
	r.value, r.last = max(r.at(now), value), now
}

// at is the rate at a time that is not before the last one.
func (r *rate) at(now time.Time) float64 {
	if r.value == 0 {
		return 0
	}
	return r.value * math.Exp(-now.Sub(r.last).Seconds()/r.period)
}

// peak is the greatest rate of late. Only slowly it falls to the one that is
// measured.
type peak struct {
	rate
	greatest rate
}

func newPeak(period, memory time.Duration) peak { return peak{newRate(period), newRate(memory)} }

func (p *peak) add(now time.Time) {
	p.rate.add(now)
	p.greatest.atLeast(p.value, now)
}

func (p *peak) at(now time.Time) float64 { return max(p.rate.at(now), p.greatest.at(now)) }
