package load_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/load"
)

// planFunc is a plan whose visits are one answer of a function.
type planFunc func(ctx context.Context) error

func (planFunc) Name() string { return "test" }

func (f planFunc) Visit(ctx context.Context, v *load.Visit) error {
	return v.Answer("GET /", func() error { return f(ctx) })
}

// takes is an answer after a time.
func takes(d time.Duration) planFunc {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
}

func run(t *testing.T, plan load.Plan, o load.Options) *load.Result {
	t.Helper()
	res, err := load.Run(t.Context(), plan, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// near reports whether a measured number of milliseconds is the true one, at
// most 1 % above it.
func near(got float64, want time.Duration) bool {
	ms := float64(want) / float64(time.Millisecond)
	return got >= ms && got <= ms*1.01
}

// Visits begin at their rate, whatever the answers take.
func TestRun_OpenLoopKeepsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		res := run(t, takes(3*time.Second), load.Options{Rate: 50, For: 10 * time.Second})
		if res.Visits.Due != 500 || res.Visits.Done != 500 {
			t.Errorf("visits are %+v, want 500 due and done", res.Visits)
		}
		if !near(res.Answers.P50, 3*time.Second) || !near(res.Answers.Max, 3*time.Second) {
			t.Errorf("answers are %+v, want 3 s", res.Answers)
		}
		if got := len(res.Series); got != 13 {
			t.Errorf("the series has %d seconds, want 13", got)
		}
	})
}

// A server that stands still for two seconds is charged for everybody who came
// in these seconds, as if each had waited in front of it.
func TestRun_StalledServerIsNotFlattered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		stall := planFunc(func(context.Context) error {
			now := time.Since(begin)
			if now >= time.Second && now < 3*time.Second {
				time.Sleep(3*time.Second - now) //nolint:forbidigo // the server's, on the bubble's clock
			}
			return nil
		})
		res := run(t, stall, load.Options{Rate: 100, For: 10 * time.Second})
		// 200 of 1000 waited, evenly between 0 and 2 s: the slowest 5 % from 1.5 s.
		if !near(res.Answers.P95, 1500*time.Millisecond) && !near(res.Answers.P95, 1510*time.Millisecond) {
			t.Errorf("p95 is %v ms, want 1500", res.Answers.P95)
		}
		if !near(res.Answers.Max, 2*time.Second) || !near(res.Answers.Mean, 201*time.Millisecond) {
			t.Errorf("answers are %+v, want a maximum of 2 s and a mean of 201 ms", res.Answers)
		}
	})
}

// What there is no place for is counted.
func TestRun_BoundIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		res := run(t, takes(time.Second), load.Options{Rate: 100, For: 2 * time.Second, Most: 10})
		if v := res.Visits; v.Due != 200 || v.Done != 20 || v.NotSent != 180 {
			t.Errorf("visits are %+v, want 200 due, 20 done and 180 not sent", v)
		}
		if res.Visits.ErrorShare() != 0.9 {
			t.Errorf("the share of errors is %v, want 0.9", res.Visits.ErrorShare())
		}
		if len(res.Errors) != 1 || res.Errors[0].Kind != load.KindNotSent || res.Errors[0].Count != 180 {
			t.Errorf("errors are %+v", res.Errors)
		}
	})
}

// Users make one visit after the other, never more at a time.
func TestRun_ClosedLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inside, most atomic.Int64
		plan := planFunc(func(ctx context.Context) error {
			n := inside.Add(1)
			defer inside.Add(-1)
			if n > most.Load() {
				most.Store(n)
			}
			return takes(100 * time.Millisecond)(ctx)
		})
		res := run(t, plan, load.Options{Users: 7, For: 10*time.Second - time.Millisecond})
		if res.Visits.Done != 700 || most.Load() != 7 {
			t.Errorf("%d visits done, %d at a time, want 700 and 7", res.Visits.Done, most.Load())
		}
		if res.DonePerSecond < 69.9 || res.DonePerSecond > 70.1 {
			t.Errorf("%v done per second, want 70", res.DonePerSecond)
		}
	})
}

// Groups come at their times, each visitor once, and have results of their own.
func TestRun_Groups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		res := run(t, takes(500*time.Millisecond), load.Options{Groups: []load.Group{
			{Threads: 10, RampUp: time.Second},
			{Threads: 20, After: 20 * time.Second},
		}})
		if len(res.Groups) != 2 || res.Groups[0].Visits.Done != 10 || res.Groups[1].Visits.Done != 20 {
			t.Fatalf("groups are %+v", res.Groups)
		}
		if res.Groups[1].PerSecond != 40 || !near(res.Groups[0].Visit.Mean, 500*time.Millisecond) {
			t.Errorf("groups are %+v, want 40/s in the second and 500 ms in the first", res.Groups)
		}
		if res.Took != 20.5 {
			t.Errorf("it took %v s, want 20.5", res.Took)
		}
	})
}

// Ctrl-C ends a run at once, with what was done. Nobody is to blame for what was
// under way.
func TestRun_Interrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2450*time.Millisecond)
		defer cancel()
		res, err := load.Run(ctx, takes(time.Second), load.Options{Rate: 10, For: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if res.Ended != load.EndedInterrupted || res.Visits.Done != 15 || res.Visits.Abandoned != 10 || len(res.Errors) != 0 {
			t.Errorf("ended %s with %+v and %+v, want 15 done and 10 abandoned", res.Ended, res.Visits, res.Errors)
		}
	})
}

// Who is not through in time has failed.
func TestRun_NotFinished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		res := run(t, takes(time.Hour), load.Options{Rate: 10, For: time.Second, Finish: 5 * time.Second})
		if res.Visits.Failed != 10 || len(res.Errors) != 1 || res.Errors[0].Kind != load.KindNotFinished {
			t.Errorf("visits are %+v with %+v, want 10 not finished", res.Visits, res.Errors)
		}
	})
}

// A run ends when nobody is left.
func TestRun_NobodyLeft(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]load.Options{
		"rate":  {Rate: 10, For: time.Minute},
		"users": {Users: 3, For: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				res := run(t, &few{left: 25}, o)
				if res.Ended != load.EndedNobodyLeft || res.Visits.Done != 25 || res.Visits.Due != 25 || res.Took > 10 {
					t.Errorf("ended %s after %v s with %+v, want 25 done", res.Ended, res.Took, res.Visits)
				}
			})
		})
	}
}

// few has a number of visits.
type few struct{ left int64 }

func (*few) Name() string { return "few" }

func (f *few) Visit(ctx context.Context, v *load.Visit) error {
	if atomic.AddInt64(&f.left, -1) < 0 {
		return load.ErrNobodyLeft
	}
	return v.Answer("GET /", func() error { return takes(100 * time.Millisecond)(ctx) })
}

// Turned away is neither good nor failed, and is timed by itself.
func TestRun_TurnedAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		plan := planFunc(func(ctx context.Context) error {
			if n.Add(1)%2 == 0 {
				return takes(time.Second)(ctx)
			}
			if err := takes(10 * time.Millisecond)(ctx); err != nil {
				return err
			}
			return &load.StatusError{What: "GET /", Status: 503, RetryAfter: time.Second}
		})
		res := run(t, plan, load.Options{Rate: 10, For: 2 * time.Second})
		if v := res.Visits; v.Done != 10 || v.Later != 10 || v.Failed != 0 || v.ErrorShare() != 0 {
			t.Errorf("visits are %+v, want 10 done and 10 turned away", v)
		}
		if !near(res.TurnedAway.P99, 10*time.Millisecond) || !near(res.Answers.P50, time.Second) {
			t.Errorf("turned away %+v, answers %+v", res.TurnedAway, res.Answers)
		}
	})
}

// Each second is told when it has ended.
func TestRun_TellsEachSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []load.Second
		plan := planFunc(func(context.Context) error { return errors.New("broken") })
		res := run(t, plan, load.Options{Rate: 20, For: 3 * time.Second, Each: func(s load.Second) { told = append(told, s) }})
		if fmt.Sprint(told) != fmt.Sprint(res.Series) || len(told) < 3 {
			t.Fatalf("told %v, the series is %v", told, res.Series)
		}
		due, failed := 0, 0
		for _, s := range told {
			due += s.Due
			failed += s.Errors[load.KindOther]
		}
		if due != 60 || failed != 60 {
			t.Errorf("%d due and %d failed over the seconds, want 60", due, failed)
		}
	})
}

func TestOptions_Validate(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]load.Options{
		"neither":     {For: time.Second},
		"both":        {Rate: 1, Users: 1, For: time.Second},
		"no time":     {Rate: 1},
		"rate below":  {Rate: -1, For: time.Second},
		"users below": {Users: -1, For: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := load.Run(t.Context(), takes(0), o); err == nil {
				t.Error("it ran")
			}
		})
	}
}
