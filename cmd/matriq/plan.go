package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"matriq/cmd/matriq/capacity"
)

const planAbout = `Reckons what a rush needs: mails, messages, commits, processors and nodes, and
how long the crowd waits when the mail relay does not take more. The sum and the
numbers in it, measured on one machine, are explained in docs/capacity.md.

A whole country in a minute, with a relay that takes 1,000 mails a second:

  matriq plan --arrivals 58000 --for 1m --mail-rate 1000

A university of 20,000 within an hour, and a relay of 20 a second:

  matriq plan --arrivals 5.6 --for 1h --mail-rate 20 --node-cores 4`

// plan is matriq plan.
func plan(_ context.Context, args []string, std stdio) error {
	flags := newFlags("plan [flags]", planAbout, std)
	var d capacity.Demand
	var way string
	flags.Float64Var(&d.Arrivals, "arrivals", 0, "`N` people come in a second")
	flags.DurationVar(&d.For, "for", time.Minute, "`TIME` for which they come")
	flags.Float64Var(&d.MailRate, "mail-rate", 0, "`N` mails a second are what the relay takes; 0: any number")
	flags.StringVar(&way, "way", "pages", "`WAY` in which people register: pages or rest")
	flags.Float64Var(&d.Use, "use", 0.6, "`PART` of the processors that may be used")
	flags.IntVar(&d.NodeCores, "node-cores", 16, "`N` processors are in a node")
	flags.DurationVar(&d.RetryAfter, "retry-after", time.Minute, "`TIME` after which those who are not admitted come again")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return errUsage
	}
	d.Way = map[string]string{"pages": capacity.ByPages, "rest": capacity.ByREST}[way]
	if err := d.Validate(); err != nil {
		for fault := range strings.Lines(err.Error()) {
			fmt.Fprintln(std.err, "matriq plan:", strings.TrimSpace(fault))
		}
		return errUsage
	}
	d.Reckon().Print(std.out)
	return nil
}
