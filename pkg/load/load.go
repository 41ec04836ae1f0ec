// Package load is people in front of a registration: it makes visits, counts
// what becomes of each, and measures how long every answer takes.
//
// [Run] makes the visits of a [Plan] as [Options] say: at a constant rate (an
// open loop), by a number of users who each begin again when they are through (a
// closed loop), or in groups that come once. What a visit does is its plan's:
// [Page] asks for one page, [Journey] registers a person by the pages and [REST]
// by the gateways.
//
// In an open loop visits begin when they are due, whatever became of those
// before, and the first answer of a visit is measured from then. A server that
// stalls for a second is therefore charged for all who came in that second. If
// more visits are under way than [Options.Most], those that would come on top
// are not made, and count as failed by the kind [KindNotSent].
//
// Answers of 503 with Retry-After are neither good nor failed: they are counted,
// and timed, as turned away.
//
// The clients speak HTTP/1.1 with little overhead, since they often share the
// processors with what they load. They reach loopback and private addresses
// alone unless [Site.Anywhere] is set.
//
// Not promised: what a browser does beyond pages and forms. Clients load no
// style sheets, run no scripts and do not speak HTTP/2.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Plan makes visits. Its methods may be called from many goroutines at once.
type Plan interface {
	// Name is for the report.
	Name() string
	// Visit makes one. Its error says what went wrong, see [KindOf];
	// [ErrNobodyLeft] ends the run.
	Visit(ctx context.Context, v *Visit) error
}

// ErrNobodyLeft is returned by a plan that has nobody left to visit.
var ErrNobodyLeft = errors.New("everybody has come")

// errNotFinished ends visits that take longer than [Options.Finish].
var errNotFinished = errors.New("the visit was not through in time")

// Defaults of [Options].
const (
	DefaultMost   = 5000
	DefaultFinish = 30 * time.Second
)

// Options say how many visits there are. One of Rate, Users and Groups is set.
type Options struct {
	// Rate is how many visits begin in a second, whatever became of those before.
	Rate float64
	// Users is how many make visits at a time, one after the other.
	Users int
	// Groups make one visit each.
	Groups []Group
	// For is how long visits begin. Groups need none.
	For time.Duration
	// Most is how many visits may be under way with Rate; 0: [DefaultMost].
	Most int
	// Finish is how long visits under way are waited for when no more begin; 0:
	// [DefaultFinish].
	Finish time.Duration
	// Each is told of every second when it has ended.
	Each func(Second)
}

// Group is a number of people who come once, at almost the same time.
type Group struct {
	Threads int           `json:"threads"`
	After   time.Duration `json:"-"` // since the start of the run
	RampUp  time.Duration `json:"-"` // between the first and the last of them
}

// Validate tells everything that is wrong.
func (o Options) Validate() error {
	var faults []error
	ways := 0
	for _, set := range []bool{o.Rate != 0, o.Users != 0, len(o.Groups) > 0} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		faults = append(faults, errors.New("set one of rate and users"))
	}
	if o.Rate < 0 || o.Rate > 1e6 {
		faults = append(faults, fmt.Errorf("a rate of %g is not between 0 and 1,000,000", o.Rate))
	}
	if o.Users < 0 {
		faults = append(faults, fmt.Errorf("%d users is not a number above 0", o.Users))
	}
	if len(o.Groups) == 0 && o.For <= 0 {
		faults = append(faults, fmt.Errorf("%v is no time to run for", o.For))
	}
	return errors.Join(faults...)
}

// Visit is one that is under way.
type Visit struct {
	// Due is when it should have begun.
	Due time.Time

	rec   *recorder
	group int
	begun bool // its first step has been timed
}

// Answer does a step that is one request and its answer, and times it. The first
// of a visit counts from when the visit was due.
func (v *Visit) Answer(name string, do func() error) error { return v.timed(name, true, do) }

// Await does a step that waits for something else, such as a mail.
func (v *Visit) Await(name string, do func() error) error { return v.timed(name, false, do) }

func (v *Visit) timed(name string, answer bool, do func() error) error {
	from := time.Now()
	if !v.begun {
		v.begun, from = true, v.Due
	}
	err := do()
	v.rec.step(name, answer, time.Since(from), KindOf(err))
	return err
}

// Run makes the visits of plan until they are through. When ctx ends it stops at
// once, and the result has what was done.
func Run(ctx context.Context, plan Plan, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Most <= 0 {
		o.Most = DefaultMost
	}
	if o.Finish <= 0 {
		o.Finish = DefaultFinish
	}
	usage := ownCPU()
	r := &runner{plan: plan, opts: o, rec: newRecorder(len(o.Groups))}
	r.run(ctx)
	res := r.rec.result(plan.Name(), o, r.ended(ctx))
	res.GeneratorCPU = (ownCPU() - usage).Seconds()
	return res, nil
}

// runner is one run.
type runner struct {
	plan     Plan
	opts     Options
	rec      *recorder
	underWay atomic.Int64
	nobody   atomic.Bool
	visits   sync.WaitGroup
}

func (r *runner) run(ctx context.Context) {
	// Its error is always Canceled, also when ctx has a deadline.
	people, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	defer leave(nil)
	defer context.AfterFunc(ctx, func() { leave(nil) })()
	seconds := r.tellSeconds()
	open, closeDoors := context.WithCancel(people)
	defer closeDoors()
	if r.opts.Users > 0 {
		timer := time.AfterFunc(r.opts.For, closeDoors)
		defer timer.Stop()
	}
	r.arrive(open, people, closeDoors)
	late := time.AfterFunc(r.opts.Finish, func() { leave(errNotFinished) })
	r.visits.Wait()
	late.Stop()
	seconds()
}

func (r *runner) ended(ctx context.Context) string {
	switch {
	case ctx.Err() != nil:
		return EndedInterrupted
	case r.nobody.Load():
		return EndedNobodyLeft
	}
	return EndedAsPlanned
}

// tellSeconds closes each second as it ends, and the last one when the returned
// function is called.
func (r *runner) tellSeconds() (stop func()) {
	tell := func() {
		s := r.rec.cut(time.Now(), int(r.underWay.Load()))
		if r.opts.Each != nil {
			r.opts.Each(s)
		}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				tell()
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		if r.rec.open() {
			tell()
		}
	}
}

// visit makes one visit and counts what became of it.
func (r *runner) visit(ctx context.Context, due time.Time, group int) {
	v := &Visit{Due: due, rec: r.rec, group: group}
	r.rec.began(due, group)
	err := r.plan.Visit(ctx, v)
	if errors.Is(err, ErrNobodyLeft) {
		r.nobody.Store(true)
		r.rec.neverCame(group)
		return
	}
	kind := KindOf(err)
	if kind == KindAbandoned && errors.Is(context.Cause(ctx), errNotFinished) {
		kind = KindNotFinished
	}
	r.rec.ended(v, kind, err)
}
