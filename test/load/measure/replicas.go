package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"matriq/pkg/load"
	"matriq/test/harness"
)

const (
	period   = 50 * time.Millisecond
	runFor   = 20 * time.Second
	warmFor  = 4 * time.Second
	enough   = 12_000 // addresses for a run
	perRun   = 24     // users before each pair of gateways
	priority = 16_384 // cpu.shares of all that is measured: what else runs has 1,024
)

// scaled is what some replicas of each service made.
type scaled struct {
	Replicas  int                `json:"replicas"`
	Quota     float64            `json:"quota"` // of a processor, each
	PerSecond float64            `json:"per_s"`
	P50       float64            `json:"visit_p50_ms"`
	Failed    int                `json:"failed"`
	CPU       map[string]float64 `json:"cpu_ms"` // of one journey
}

// measureReplicas has people register by REST before 1, 2 and 4 replicas of each
// service. The servers and the driver have no quota.
func measureReplicas(ctx context.Context, percent int) ([]scaled, error) {
	var all []scaled
	for _, n := range []int{1, 2, 4} {
		one, err := measureScaled(ctx, n, percent)
		if err != nil {
			return all, err
		}
		fmt.Fprintf(os.Stderr, "%d replicas with %d %% each: %.1f/s\n", n, percent, one.PerSecond)
		all = append(all, one)
	}
	return all, nil
}

func measureScaled(ctx context.Context, n, percent int) (_ scaled, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return scaled{}, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	top, err := newGroup("matriq-measure", "", 0)
	if err != nil {
		return scaled{}, err
	}
	defer func() { err = errors.Join(err, top.remove()) }()
	for _, pids := range [][]int{{os.Getpid()}, w.rabbit.PIDs(), w.redis.PIDs(), w.mariadb.PIDs()} {
		if err := top.add(pids...); err != nil {
			return scaled{}, err
		}
	}
	groups, err := w.launchScaled(ctx, n, percent, top.path)
	defer func() {
		for _, g := range groups {
			err = errors.Join(err, g.remove())
		}
	}()
	if err != nil {
		return scaled{}, err
	}
	if err := w.listAll(ctx, n); err != nil {
		return scaled{}, err
	}
	return w.measureRush(ctx, n, percent)
}

// launchScaled starts n replicas of each service that a journey by REST needs,
// each in a group of its own.
func (w *world) launchScaled(ctx context.Context, n, percent int, parent string) (groups []group, err error) {
	for _, service := range harness.Services {
		for i := 0; i < n && service != "ui"; i++ {
			p, err := w.launch(ctx, service)
			if err != nil {
				return groups, err
			}
			g, err := newGroup(fmt.Sprintf("%s-%d", service, i), parent, percent)
			if err != nil {
				return groups, err
			}
			groups = append(groups, g)
			if err := g.add(p.PID()); err != nil {
				return groups, err
			}
		}
	}
	return groups, nil
}

func (w *world) measureRush(ctx context.Context, n, percent int) (scaled, error) {
	if _, err := w.rush(ctx, "warm", n, warmFor); err != nil {
		return scaled{}, err
	}
	before, err := w.read(ctx)
	if err != nil {
		return scaled{}, err
	}
	results, err := w.rush(ctx, "run", n, runFor)
	if err != nil {
		return scaled{}, err
	}
	after, err := w.read(ctx)
	if err != nil {
		return scaled{}, err
	}
	s := scaled{Replicas: n, Quota: float64(percent) / 100, CPU: map[string]float64{}}
	done := 0
	for _, r := range results {
		s.PerSecond += r.DonePerSecond
		s.P50 += r.Visit.P50 / float64(n)
		s.Failed += r.Visits.Failed
		done += r.Visits.Done
	}
	for name, grown := range after.Since(before) {
		if len(name) > 7 && name[:7] == "cpu_ms " {
			s.CPU[name[7:]] = grown / float64(done)
		}
	}
	return s, nil
}

// listAll lists the people of all rushes at once: under its quota a gateway takes
// its time for them.
func (w *world) listAll(ctx context.Context, n int) error {
	for _, name := range []string{"warm", "run"} {
		for i := range n {
			if _, err := w.list(ctx, fmt.Sprintf("%s%d-", name, i), enough/n/6); err != nil {
				return err
			}
		}
	}
	return nil
}

// rush has people come to every pair of gateways at once.
func (w *world) rush(ctx context.Context, name string, n int, d time.Duration) ([]*load.Result, error) {
	results, errs := make([]*load.Result, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var emails []string
			for j := range enough / n / 6 {
				emails = append(emails, fmt.Sprintf("%s%d-%06d@example.ac.th", name, i, j))
			}
			results[i], errs[i] = load.Run(ctx, w.plan("rest", load.NewPeople(emails), i), load.Options{Users: perRun, For: d})
		})
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

// group is a control group of the processor.
type group struct{ path, parent string }

const cpuGroups = "/sys/fs/cgroup/cpu"

// newGroup makes a group below parent; percent is its quota of a processor, 0:
// none.
func newGroup(name, parent string, percent int) (group, error) {
	if parent == "" {
		parent = cpuGroups
	}
	g := group{filepath.Join(parent, name), parent}
	if err := os.Mkdir(g.path, 0o755); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // G301: a control group
		return g, fmt.Errorf("cgroups v1 and root are needed: %w", err)
	}
	if percent == 0 {
		return g, g.write("cpu.shares", priority)
	}
	if err := g.write("cpu.cfs_period_us", int(period.Microseconds())); err != nil {
		return g, err
	}
	return g, g.write("cpu.cfs_quota_us", int(period.Microseconds())*percent/100)
}

func (g group) write(file string, value int) error {
	return os.WriteFile(filepath.Join(g.path, file), []byte(strconv.Itoa(value)), 0o600)
}

func (g group) add(pids ...int) error {
	for _, pid := range pids {
		if err := g.write("cgroup.procs", pid); err != nil {
			return err
		}
	}
	return nil
}

// remove moves what is left back to the parent.
func (g group) remove() error {
	text, err := os.ReadFile(filepath.Join(g.path, "cgroup.procs"))
	if err != nil {
		return err
	}
	above := group{path: g.parent}
	for line := range strings.Lines(string(text)) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			_ = above.add(pid) // it may have ended
		}
	}
	return os.Remove(g.path)
}
