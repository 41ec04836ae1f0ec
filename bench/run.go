package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"matriq/bench/measure"
	"matriq/bench/rows"
	"matriq/bench/stand"
)

// measure measures the rows and writes tables to out and what goes on to progress.
func (o options) measure(ctx context.Context, out, progress io.Writer) (err error) {
	s, err := stand.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.Profiles = o.profile; o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o700); err != nil {
			return err
		}
	}
	line := newStatus(progress)
	plan := o.plan
	plan.Names, plan.Say = s.Names, line.say
	bench := rows.Bench{Stand: s, Plan: plan, Quick: o.quick}
	missed := 0
	for _, row := range o.rows {
		fmt.Fprintf(out, "\n%s\n", row.Title)
		report, err := o.row(ctx, bench, row, out, line)
		line.clear()
		if err != nil {
			return fmt.Errorf("%s: %w", row.Name, err)
		}
		missed += misses(report)
	}
	if o.strict && missed > 0 {
		return fmt.Errorf("%d targets are missed or have no verdict", missed)
	}
	return nil
}

// row measures one row and writes its report, also when it fails half-way: what
// was measured counts.
func (o options) row(ctx context.Context, b rows.Bench, row rows.Row, out io.Writer, line *status) (measure.Report, error) {
	machine, err := measure.ThisMachine()
	if err != nil {
		return measure.Report{}, err
	}
	report := measure.Report{Row: row.Name, Title: row.Title, About: row.About, At: time.Now().UTC().Truncate(time.Second), Machine: machine}
	err = row.Measure(ctx, b, func(r measure.Result) {
		line.clear()
		report.Results = append(report.Results, r)
		_ = r.WriteTable(out) // the terminal is gone: the file is not
	})
	line.say("the helpers end")
	return report, errors.Join(err, b.Stand.Rest(), o.write(report))
}

// write leaves the report in the folder of results.
func (o options) write(r measure.Report) error {
	if o.results == "" || len(r.Results) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil { //nolint:gosec // G301: results are for everybody
		return err
	}
	return os.WriteFile(filepath.Join(o.results, r.Row+".json"), append(text, '\n'), 0o644) //nolint:gosec // G306: results are for everybody
}

// misses are the targets that were not reached, for whatever reason.
func misses(r measure.Report) (n int) {
	for _, result := range r.Results {
		for _, v := range result.Verdicts {
			if !v.Reached {
				n++
			}
		}
	}
	return n
}
