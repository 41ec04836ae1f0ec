package load

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// recorder counts for a run. Its methods may be called from any goroutine.
type recorder struct {
	start time.Time

	mu         sync.Mutex
	last       time.Time // the end of the last visit
	visits     Counts
	visit      histogram
	answers    histogram
	turnedAway histogram
	lag        histogram
	steps      map[string]*stepCount
	order      []string // of steps, as they first came
	kinds      map[Kind]*Error
	groups     []groupCount

	series   []Second
	now      Second
	nowGood  histogram
	nowBegan time.Time
}

type stepCount struct {
	Step
	good histogram
}

type groupCount struct {
	Counts
	visit       histogram
	first, last time.Time
}

func newRecorder(groups int) *recorder {
	now := time.Now()
	return &recorder{
		start: now, last: now, nowBegan: now,
		steps: map[string]*stepCount{}, kinds: map[Kind]*Error{}, groups: make([]groupCount, groups),
	}
}

// began counts a visit that begins now and was due before.
func (r *recorder) began(due time.Time, group int) {
	late := time.Since(due)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lag.add(late)
	r.visits.Due++
	r.now.Due++
	if group < len(r.groups) {
		g := &r.groups[group]
		g.Due++
		if g.first.IsZero() {
			g.first = due
		}
	}
}

// neverCame takes back a visit for which there was nobody.
func (r *recorder) neverCame(group int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visits.Due--
	r.now.Due = max(r.now.Due-1, 0)
	if group < len(r.groups) {
		r.groups[group].Due--
	}
}

// notSent counts a visit that was due and is not made.
func (r *recorder) notSent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visits.Due++
	r.now.Due++
	r.visits.NotSent++
	r.failed(KindNotSent, "as many visits as allowed were under way")
}

// step counts a step.
func (r *recorder) step(name string, answer bool, took time.Duration, kind Kind) {
	if kind == KindAbandoned {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.steps[name]
	if !ok {
		s = &stepCount{Step: Step{Name: name, Answer: answer}}
		r.steps[name] = s
		r.order = append(r.order, name)
	}
	switch {
	case kind == KindLater:
		s.Later++
		r.turnedAway.add(took)
	case kind != KindDone:
		s.Failed++
	default:
		s.good.add(took)
		if answer {
			r.answers.add(took)
			r.nowGood.add(took)
		}
	}
}

// ended counts what became of a visit.
func (r *recorder) ended(v *Visit, kind Kind, err error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = now
	r.visits.add(kind)
	switch {
	case kind == KindDone:
		r.now.Done++
		r.visit.add(now.Sub(v.Due))
	case kind == KindLater:
		r.now.Later++
		r.count(kind, err.Error())
	case kind != KindAbandoned:
		r.failed(kind, err.Error())
	}
	if v.group < len(r.groups) {
		g := &r.groups[v.group]
		g.add(kind)
		g.last = now
		if kind == KindDone {
			g.visit.add(now.Sub(v.Due))
		}
	}
}

func (c *Counts) add(kind Kind) { *c.of(kind)++ }

// of is where visits of a kind are counted.
func (c *Counts) of(kind Kind) *int {
	if kind == KindDone {
		return &c.Done
	}
	if kind == KindLater {
		return &c.Later
	}
	if kind == KindAbandoned {
		return &c.Abandoned
	}
	return &c.Failed
}

// failed needs the lock.
func (r *recorder) failed(kind Kind, text string) {
	r.now.Failed++
	if r.now.Errors == nil {
		r.now.Errors = map[Kind]int{}
	}
	r.now.Errors[kind]++
	r.count(kind, text)
}

// count needs the lock.
func (r *recorder) count(kind Kind, text string) {
	e, ok := r.kinds[kind]
	if !ok {
		e = &Error{Kind: kind, First: text}
		r.kinds[kind] = e
	}
	e.Count++
}

// open tells whether anything happened since the last cut.
func (r *recorder) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.series) == 0 || r.now.Due+r.now.Done+r.now.Later+r.now.Failed > 0 || r.nowGood.total > 0
}

// cut ends a second.
func (r *recorder) cut(at time.Time, underWay int) Second {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.now
	s.At, s.UnderWay, s.Answers = at.Sub(r.start).Seconds(), underWay, r.nowGood.latency()
	r.series = append(r.series, s)
	r.now, r.nowGood, r.nowBegan = Second{}, histogram{}, at
	return s
}

func (r *recorder) result(plan string, o Options, ended string) *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	took := r.last.Sub(r.start).Seconds()
	res := &Result{
		Plan: plan, Began: r.start.UTC(), Took: took, Ended: ended,
		Arrivals: Arrivals{Rate: o.Rate, Users: o.Users, For: o.For.Seconds()},
		Visits:   r.visits, Visit: r.visit.latency(), Answers: r.answers.latency(),
		TurnedAway: r.turnedAway.latency(), Lag: r.lag.latency(),
		Steps: []Step{}, Errors: []Error{}, Series: r.series,
	}
	if o.Rate > 0 {
		res.Arrivals.Most = o.Most
	}
	if took > 0 {
		res.DonePerSecond, res.AnswersPerSecond = float64(r.visits.Done)/took, float64(r.answers.total)/took
	}
	for _, name := range r.order {
		s := r.steps[name]
		s.Good = s.good.latency()
		res.Steps = append(res.Steps, s.Step)
	}
	for _, e := range r.kinds {
		res.Errors = append(res.Errors, *e)
	}
	slices.SortFunc(res.Errors, func(a, b Error) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	for i, g := range r.groups {
		res.Groups = append(res.Groups, g.result(o.Groups[i]))
	}
	return res
}

func (g *groupCount) result(of Group) GroupResult {
	res := GroupResult{
		Group: of, After: of.After.Seconds(), RampUp: of.RampUp.Seconds(),
		Visits: g.Counts, Visit: g.visit.latency(),
	}
	if took := g.last.Sub(g.first).Seconds(); took > 0 {
		res.PerSecond = float64(g.Done+g.Later+g.Failed) / took
	}
	return res
}
