package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"matriq/pkg/load"
	"matriq/test/load/counters"
)

const (
	warmUp = 200
	users  = 16
	// quiet is how long nothing may be sent for all to be done.
	quiet   = 3 * time.Second
	atMost  = 2 * time.Minute
	idleFor = 10 * time.Second
)

// cost is what one journey needs, by counter.
type cost struct {
	Journeys  int                `json:"journeys"`
	PerSecond float64            `json:"per_s"` // of a closed loop of 16 users
	DriverMS  float64            `json:"driver_cpu_ms"`
	Each      map[string]float64 `json:"each"`
}

// measureCost counts what journeys need, without what the services do anyway.
func measureCost(ctx context.Context, n int) (_ map[string]cost, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.launchAll(ctx); err != nil {
		return nil, err
	}
	costs := map[string]cost{}
	for _, plan := range []string{"rest", "journey"} {
		if costs[plan], err = w.count(ctx, plan, n); err != nil {
			return nil, err
		}
	}
	return costs, nil
}

func (w *world) count(ctx context.Context, kind string, n int) (cost, error) {
	fmt.Fprintf(os.Stderr, "%s: %d to warm up, %d counted\n", kind, warmUp, n)
	if _, err := w.journeys(ctx, kind, kind+"warm", warmUp); err != nil {
		return cost{}, err
	}
	if err := w.settle(ctx); err != nil {
		return cost{}, err
	}
	idle, err := w.idle(ctx)
	if err != nil {
		return cost{}, err
	}
	before, err := w.read(ctx)
	if err != nil {
		return cost{}, err
	}
	began := time.Now()
	res, err := w.journeys(ctx, kind, kind, n)
	if err != nil {
		return cost{}, err
	}
	if err := w.settle(ctx); err != nil {
		return cost{}, err
	}
	after, err := w.read(ctx)
	if err != nil {
		return cost{}, err
	}
	each := map[string]float64{}
	for name, grown := range after.Since(before) {
		each[name] = (grown - idle[name]*time.Since(began).Seconds()) / float64(n)
	}
	maps.DeleteFunc(each, func(_ string, v float64) bool { return v < 0.005 })
	return cost{n, res.DonePerSecond, res.GeneratorCPU * 1000 / float64(n), each}, nil
}

// idle is what the services do each second while nobody comes.
func (w *world) idle(ctx context.Context) (counters.Counters, error) {
	before, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(idleFor):
	}
	after, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	rates := counters.Counters{}
	for name, grown := range after.Since(before) {
		rates[name] = grown / idleFor.Seconds()
	}
	return rates, nil
}

// journeys has n people register, and fails unless all do.
func (w *world) journeys(ctx context.Context, kind, name string, n int) (*load.Result, error) {
	emails, err := w.list(ctx, name, n)
	if err != nil {
		return nil, err
	}
	res, err := load.Run(ctx, w.plan(kind, load.NewPeople(emails), 0), load.Options{Users: users, For: time.Hour})
	if err != nil {
		return nil, err
	}
	if res.Visits.Done != n {
		return nil, fmt.Errorf("%d of %d came through: %+v", res.Visits.Done, n, res.Errors)
	}
	return res, nil
}

// plan is of people who come to the i-th replica of what serves them.
func (w *world) plan(kind string, people *load.People, i int) load.Plan {
	site := func(service string) *load.Site {
		s, err := load.NewSite("http://" + login + "@" + w.replicas[service][i].HTTP)
		if err != nil {
			panic(err) // an address of our own
		}
		return s
	}
	if kind == "rest" {
		return &load.REST{OTP: site("otp-gateway"), Register: site("register-gateway"), People: people, Codes: w}
	}
	ui := site("ui")
	ui.URL.User, ui.Connections = nil, load.PerVisit
	return &load.Journey{Site: ui, People: people, Codes: w}
}

// settle waits until no message and no mail has been sent for a while: what a
// registration leads to is done.
func (w *world) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	last, since := "", time.Now()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for time.Since(since) < quiet {
		now, err := w.read(ctx)
		if err != nil {
			return err
		}
		if seen := busy(now); seen != last {
			last, since = seen, time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the services do not come to rest: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// busy has what changes while something is done.
func busy(c counters.Counters) string {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if name == "mails" || strings.HasPrefix(name, "cast ") || strings.HasPrefix(name, "event ") {
			fmt.Fprintln(&all, name, c[name])
		}
	}
	return all.String()
}
