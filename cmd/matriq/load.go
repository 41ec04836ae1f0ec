package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"matriq/cmd/matriq/load/report"
	loading "matriq/pkg/load"
)

const loadAbout = `Makes visits to a registration that you run, shows how it bears them while they
last, and tells in the end whether it bore them well.

A visit is what --plan says:

  page     asks for the first page
  journey  registers a person by the pages: address, code, names
  rest     registers a person by the two gateways
  article  asks for the first page in five groups of 500 to 2,500 threads, 20 s
           apart, as the published article did, and prints its results beside

--rate begins that many visits a second, whatever becomes of those before, and
measures each from when it was due: what people meet who come by themselves.
--users has that many people who begin again when they are through. Start with
what matriq up serves:

  matriq load --rate 100 --for 10s
  matriq load --plan article --report article.html

People need addresses that are listed and have not registered, and a mailbox
where their codes can be read. Make some, list them, and have them come:

  (echo email; seq -f 'load%06g@example.ac.th' 10000) > people.csv
  matriq import people.csv
  matriq load --plan journey --rate 20 --emails people.csv --from 127.1.0.0/16

The gateways limit what comes from one address. --from has visits come from many,
where this machine has them, as it has all of 127.0.0.0/8; elsewhere set
SOURCE_ALLOW of otp to the network you load from. As a test that fails when it is
too slow, with a page to look at and numbers for programs:

  matriq load --plan rest --rate 50 --for 5m --emails people.csv \
    --max-p99 500ms --max-errors 0.1% --report load.html --json load.json

The exit code is 0, or 1 if a --max or --min was missed or nothing could be done,
or 2 for a wrong command line. Ctrl-C ends the run with the report of what was
done; what it was measured on is in docs/load.md.`

// loadTest is matriq load.
func loadTest(ctx context.Context, args []string, std stdio) error {
	flags, f := loadFlagSet(std)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return errUsage
	}
	if !f.tell(std.err, f.faults(given(flags))) {
		return errUsage
	}
	plan, err := f.prepare(ctx)
	if err != nil {
		return err
	}
	defer plan.close()
	o := f.options()
	show := newLive(std.err, f.plan, o)
	o.Each = show.second
	show.begin(plan.target)
	res, err := loading.Run(ctx, plan.Plan, o)
	if err != nil {
		return err
	}
	show.end()
	verdict := f.limits().judge(res)
	summarize(std.out, res, verdict)
	if err := f.write(res, verdict, plan.target); err != nil {
		return err
	}
	return verdict.err()
}

// write writes the files that were asked for.
func (f *loadFlags) write(res *loading.Result, v verdict, target string) error {
	if f.json != "" {
		err := writeFile(f.json, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", " ")
			return e.Encode(res)
		})
		if err != nil {
			return fmt.Errorf("--json: %w", err)
		}
	}
	if f.report != "" {
		page := report.Page{Result: res, Target: target, Limits: v.rows(), Advice: advice(res)}
		if err := writeFile(f.report, page.Write); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	return nil
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(filepath.Clean(name))
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close() // it is not complete anyway
		return err
	}
	return file.Close()
}
