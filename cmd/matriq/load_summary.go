package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"matriq/cmd/matriq/load/report"
	loading "matriq/pkg/load"
)

// summarize prints what became of a run.
func summarize(w io.Writer, r *loading.Result, v verdict) {
	c := r.Visits
	fmt.Fprintf(w, "\n%d visits were due in %.1f s: %d done (%.1f/s), %d turned away, %d failed", c.Due, r.Took, c.Done, r.DonePerSecond, c.Later, c.Failed)
	if c.NotSent > 0 {
		fmt.Fprintf(w, ", %d not made for want of a place (--most)", c.NotSent)
	}
	if c.Abandoned > 0 {
		fmt.Fprintf(w, ", %d broken off", c.Abandoned)
	}
	fmt.Fprintf(w, "; ended %s\n\n", r.Ended)
	table(w, func(row func(cells ...any)) {
		row("", "number", "mean", "p50", "p95", "p99", "longest")
		latency(row, "visits done", r.Visit)
		latency(row, "good answers", r.Answers)
		if r.TurnedAway.Count > 0 {
			latency(row, "turned away", r.TurnedAway)
		}
		for _, s := range r.Steps {
			latency(row, "  "+s.Name, s.Good)
		}
	})
	summarizeGroups(w, r)
	summarizeErrors(w, r)
	for _, j := range v {
		fmt.Fprintf(w, "%s  %s: %s, wanted %s\n", map[bool]string{true: "kept  ", false: "MISSED"}[j.kept], j.flag, j.got, j.want)
	}
	for _, line := range advice(r) {
		fmt.Fprintf(w, "\n%s\n", line)
	}
}

func latency(row func(cells ...any), name string, l loading.Latency) {
	row(name, l.Count, report.Milliseconds(l.Mean), report.Milliseconds(l.P50), report.Milliseconds(l.P95), report.Milliseconds(l.P99), report.Milliseconds(l.Max))
}

// table lines up what fill gives it: the first column to the left.
func table(w io.Writer, fill func(row func(cells ...any))) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fill(func(cells ...any) {
		fmt.Fprintf(t, "%-*v\t", nameWidth, cells[0])
		for _, cell := range cells[1:] {
			fmt.Fprintf(t, "%v\t", cell)
		}
		fmt.Fprintln(t)
	})
	_ = t.Flush() // as every Fprintf to w
	fmt.Fprintln(w)
}

// nameWidth is that of the first column: that of the longest step.
const nameWidth = 24

// summarizeGroups prints the article's results beside ours.
func summarizeGroups(w io.Writer, r *loading.Result) {
	if len(r.Groups) == 0 {
		return
	}
	published := loading.Published()
	table(w, func(row func(cells ...any)) {
		row("threads", "mean", "p99", "requests/s", "failed", "| article: mean", "requests/s", "| faster site: mean", "requests/s")
		for i, g := range r.Groups {
			p := published[i]
			row(g.Threads, report.Milliseconds(g.Visit.Mean), report.Milliseconds(g.Visit.P99), fmt.Sprintf("%.1f", g.PerSecond), g.Visits.Failed+g.Visits.Later,
				told("%.0f ms", p.Average), told("%.1f", p.PerSecond), told("%.0f ms", p.FasterAverage), told("%.1f", p.FasterPerSecond))
		}
	})
}

// told is "–" for what was not told.
func told(format string, v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

func summarizeErrors(w io.Writer, r *loading.Result) {
	for _, e := range r.Errors {
		fmt.Fprintf(w, "%6d × %s, first: %s\n", e.Count, e.Kind, e.First)
	}
	if len(r.Errors) > 0 {
		fmt.Fprintln(w)
	}
}
