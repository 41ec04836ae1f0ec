package load

import (
	"context"
	"time"
)

// arrive begins visits until open ends, and returns then. The visits live in
// people. closeDoors ends open.
func (r *runner) arrive(open, people context.Context, closeDoors context.CancelFunc) {
	switch {
	case len(r.opts.Groups) > 0:
		r.comeInGroups(open, people)
	case r.opts.Users > 0:
		r.comeAgain(open, people)
	default:
		r.comeAtRate(open, people, closeDoors)
	}
}

// comeAtRate begins visit i when it is due, at i/rate. Visits that are due while
// this goroutine had no processor begin late, also after the end of the time, and
// count from when they were due.
func (r *runner) comeAtRate(open, people context.Context, closeDoors context.CancelFunc) {
	timer := newTimer()
	defer timer.Stop()
	last := int(r.opts.Rate * r.opts.For.Seconds())
	for i := range max(last, 1) {
		due := r.rec.start.Add(time.Duration(float64(i) / r.opts.Rate * float64(time.Second)))
		if !timer.until(open, due) {
			return
		}
		if int(r.underWay.Load()) >= r.opts.Most {
			r.rec.notSent()
			continue
		}
		r.begin(func() {
			r.visit(people, due, 0)
			if r.nobody.Load() {
				closeDoors()
			}
		})
	}
}

// comeAgain has every user make visits, one after the other.
func (r *runner) comeAgain(open, people context.Context) {
	users := make(chan struct{}, r.opts.Users)
	for range r.opts.Users {
		r.begin(func() {
			defer func() { users <- struct{}{} }()
			for open.Err() == nil && !r.nobody.Load() {
				r.visit(people, time.Now(), 0)
			}
		})
	}
	for range r.opts.Users {
		select {
		case <-open.Done():
			return
		case <-users:
		}
	}
}

// comeInGroups begins every thread of every group at its time.
func (r *runner) comeInGroups(open, people context.Context) {
	timer := newTimer()
	defer timer.Stop()
	for g, group := range r.opts.Groups {
		for i := range group.Threads {
			ramp := time.Duration(float64(group.RampUp) * float64(i) / float64(group.Threads))
			due := r.rec.start.Add(group.After + ramp)
			if !timer.until(open, due) {
				return
			}
			r.begin(func() { r.visit(people, due, g) })
		}
	}
}

func (r *runner) begin(visit func()) {
	r.underWay.Add(1)
	r.visits.Go(func() {
		defer r.underWay.Add(-1)
		visit()
	})
}

// timer waits again and again.
type timer struct{ *time.Timer }

func newTimer() timer { return timer{time.NewTimer(0)} }

// until waits for a time; false: ctx has ended.
func (t timer) until(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	t.Reset(wait)
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
