package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"matriq/bench/measure"
	"matriq/bench/rows"
)

// options are the command line.
type options struct {
	rows    []rows.Row
	plan    measure.Plan
	quick   bool
	strict  bool
	results string // folder; "": none are written
	profile string // folder; "": none are made
}

const about = `Measures Matriq against the bare limit of what it stands on.

  go run ./bench                        all rows but the slow ones: about half an hour
  go run ./bench --rows rpc,cast        some of them
  go run ./bench --quick                shows in half a minute that all rows work
  make bench-report                     one HTML page of what was measured

It starts a RabbitMQ, a Redis and a MariaDB of its own on loopback, with fresh
data, and everything it measures as a process of its own; all of it ends with the
bench. Contenders run in turn, A B C, C B A, …; the table has the median of the
rounds, the least and the most. A round in which other programs use more than
half a core is repeated; a verdict is refused when it stays so. docs/bench.md
says how each number is made.

Rows:
`

// parse reads the command line; a fault has been explained on w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	var names, length string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(w)
	flags.StringVar(&names, "rows", "", "`names` of the rows to measure, by comma; empty: all that are not slow")
	flags.IntVar(&o.plan.Rounds, "rounds", 5, "how many `rounds` each contender runs")
	flags.StringVar(&length, "length", "2s", "how `long` a contender runs in a round")
	flags.IntVar(&o.plan.Repeats, "repeats", 10, "how many disturbed `rounds` of a case may be repeated")
	flags.BoolVar(&o.quick, "quick", false, "one short round of the first case of each row, no results")
	flags.BoolVar(&o.strict, "strict", false, "fail when a target is missed or a verdict is refused")
	flags.StringVar(&o.results, "results", filepath.Join("bench", "results"), "`folder` for a JSON file of each row")
	flags.StringVar(&o.profile, "profile", "", "`folder` for CPU profiles of every process, for go tool pprof; they slow everything down, so no results are written")
	flags.Usage = func() { usage(w, flags) }
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	err := o.complete(names, length, flags.Args())
	if err != nil {
		fmt.Fprintf(w, "bench: %v\nbench --help lists the rows and the flags\n", err)
	}
	return o, err
}

// complete checks what was given and fills in what follows from it.
func (o *options) complete(names, length string, rest []string) error {
	var faults []error
	if len(rest) > 0 {
		faults = append(faults, fmt.Errorf("%q is no flag", rest[0]))
	}
	if o.plan.Rounds < 1 {
		faults = append(faults, fmt.Errorf("--rounds %d is not 1 or more", o.plan.Rounds))
	}
	var err error
	if o.plan.Length, err = time.ParseDuration(length); err != nil || o.plan.Length <= 0 {
		faults = append(faults, fmt.Errorf("--length %s is no duration such as 2s", length))
	}
	o.plan.WarmUp = o.plan.Length
	if o.quick {
		o.plan.Rounds, o.plan.Repeats, o.plan.Length, o.plan.WarmUp, o.results = 1, 0, 300*time.Millisecond, 100*time.Millisecond, ""
	}
	if o.profile != "" {
		o.results = ""
	}
	if o.rows, err = selected(names, o.quick); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// selected returns the rows with names by comma; without any, all that do not
// take long.
func selected(names string, quick bool) ([]rows.Row, error) {
	all := rows.All()
	if names == "" {
		return slices.DeleteFunc(all, func(r rows.Row) bool { return r.Slow && !quick }), nil
	}
	var some []rows.Row
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(r rows.Row) bool { return r.Name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("--rows %s: there is no row %q", names, name)
		}
		some = append(some, all[i])
	}
	return some, nil
}

func usage(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprint(w, about)
	for _, r := range rows.All() {
		slow := ""
		if r.Slow {
			slow = " (slow: name it)"
		}
		fmt.Fprintf(w, "  %-8s %s%s\n", r.Name, r.Title, slow)
	}
	fmt.Fprint(w, "\nFlags:\n")
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  --%s %s\n      %s", f.Name, value, text)
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(w, " (default %s)", f.DefValue)
		}
		fmt.Fprintln(w)
	})
}
