package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"matriq/cmd/matriq/load/report"
	loading "matriq/pkg/load"
)

// limits are what a run must keep; nil: not asked for.
type limits []limit

// limit is one of them.
type limit struct {
	flag, want string
	measure    func(*loading.Result) (got string, kept bool)
}

func (f *loadFlags) limits() limits {
	var all limits
	slower := func(flag string, most time.Duration, of func(*loading.Result) loading.Latency) {
		if most > 0 {
			all = append(all, limit{flag, "at most " + most.String(), func(r *loading.Result) (string, bool) {
				l := of(r)
				return fmt.Sprintf("%.1f ms", l.P99), l.Count > 0 && l.P99 <= float64(most)/float64(time.Millisecond)
			}})
		}
	}
	slower("--max-p99", f.maxP99, func(r *loading.Result) loading.Latency { return r.Answers })
	slower("--max-visit-p99", f.maxVisit, func(r *loading.Result) loading.Latency { return r.Visit })
	more := func(flag string, most share, of func(loading.Counts) float64) {
		if most >= 0 {
			all = append(all, limit{flag, "at most " + most.String(), func(r *loading.Result) (string, bool) {
				got := share(of(r.Visits))
				return got.String(), got <= most
			}})
		}
	}
	more("--max-errors", f.maxErrors, loading.Counts.ErrorShare)
	more("--max-later", f.maxLater, loading.Counts.LaterShare)
	if f.minDone > 0 {
		all = append(all, limit{"--min-done", fmt.Sprintf("at least %g/s", f.minDone), func(r *loading.Result) (string, bool) {
			return fmt.Sprintf("%.1f/s", r.DonePerSecond), r.DonePerSecond >= f.minDone
		}})
	}
	return all
}

// verdict is what became of the limits.
type verdict []judged

type judged struct {
	limit
	got  string
	kept bool
}

func (l limits) judge(res *loading.Result) verdict {
	var v verdict
	for _, one := range l {
		got, kept := one.measure(res)
		v = append(v, judged{one, got, kept})
	}
	if res.Visits.Done+res.Visits.Later == 0 && res.Visits.Failed+res.Visits.NotSent > 0 {
		v = append(v, judged{limit{flag: "anything", want: "at least one visit done"}, "none", false})
	}
	return v
}

// err tells what was missed.
func (v verdict) err() error {
	var missed []string
	for _, j := range v {
		if !j.kept {
			missed = append(missed, fmt.Sprintf("%s: %s, wanted %s", j.flag, j.got, j.want))
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return errors.New("not good enough: " + strings.Join(missed, "; "))
}

// rows are the limits for the report.
func (v verdict) rows() []report.Limit {
	var rows []report.Limit
	for _, j := range v {
		rows = append(rows, report.Limit{Name: j.flag, Want: j.want, Got: j.got, Kept: j.kept})
	}
	return rows
}
