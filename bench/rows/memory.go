package rows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"matriq/bench/measure"
	"matriq/bench/procfs"
	"matriq/bench/stand"
)

// MiB of a number of bytes.
func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// wait waits for d, or returns the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gauge reads the memory of processes now and then.
type gauge struct {
	pids map[string]int
	stop chan struct{}
	done sync.WaitGroup
	err  error
	// at has the resident set of each process, in MiB, at the time in seconds.
	at []reading
}

type reading struct {
	second float64
	memory map[string]float64
}

// services are the processes of the suite's programs.
func (w *world) services() map[string]int {
	pids := map[string]int{}
	for _, name := range stand.Services() {
		pids[name] = w.suite.Program(name).PID()
	}
	return pids
}

func newGauge(pids map[string]int, every time.Duration) *gauge {
	g := &gauge{pids: maps.Clone(pids), stop: make(chan struct{})}
	began := time.Now()
	g.done.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			g.read(time.Since(began).Seconds())
			select {
			case <-ticker.C:
			case <-g.stop:
				return
			}
		}
	})
	return g
}

func (g *gauge) read(second float64) {
	r := reading{second: second, memory: map[string]float64{}}
	for name, pid := range g.pids {
		bytes, err := procfs.Memory(pid)
		if err != nil {
			g.err = errors.Join(g.err, fmt.Errorf("memory of %s: %w", name, err))
			return
		}
		r.memory[name] = mib(bytes)
	}
	g.at = append(g.at, r)
}

// end returns the readings.
func (g *gauge) end() ([]reading, error) {
	close(g.stop)
	g.done.Wait()
	if len(g.at) == 0 {
		return nil, g.err
	}
	return g.at, nil // a process that ends while it is watched has been read before
}

// sum is the memory of all processes.
func (r reading) sum() (all float64) {
	for _, m := range r.memory {
		all += m
	}
	return all
}

// slope fits a line through the sums and returns how much they grow in a minute.
func slope(readings []reading) float64 {
	n := float64(len(readings))
	if n < 2 {
		return 0
	}
	var x, y float64
	for _, r := range readings {
		x, y = x+r.second/n, y+r.sum()/n
	}
	var above, below float64
	for _, r := range readings {
		above += (r.second - x) * (r.sum() - y)
		below += (r.second - x) * (r.second - x)
	}
	return 60 * above / below
}

func atRest() Row {
	return Row{
		Name: "rest", Title: "Memory at rest",
		About:   "The resident sets of the seven services, one replica each, half a minute after they were ready and with nobody there.",
		Measure: measureRest,
	}
}

// calm is how long the services have been left alone.
const calm = 30 * time.Second

func measureRest(ctx context.Context, b Bench, tell func(measure.Result)) error {
	w, err := newWorld(ctx, b, 1)
	if err != nil {
		return err
	}
	rest := func(ctx context.Context, length time.Duration) (measure.Sample, error) {
		if err := wait(ctx, length); err != nil {
			return measure.Sample{}, err
		}
		g := newGauge(w.services(), time.Hour)
		readings, err := g.end()
		if err != nil {
			return measure.Sample{}, err
		}
		s := measure.Sample{Count: 1}
		s.Add(memory, "MiB", readings[0].sum())
		for _, name := range stand.Services() {
			s.Add(name, "MiB", readings[0].memory[name])
		}
		return s, nil
	}
	b.Plan.WarmUp = 0
	if b.Plan.Rounds = 1; !b.Quick {
		b.Plan.Length = calm
	}
	return compare(ctx, b, measure.Case{
		Name: "seven services", Contenders: []measure.Contender{{Name: ours, Run: rest}},
		Targets: []measure.Target{measure.Absolute(memory, ours, " MiB", true, 150)},
	}, tell)
}

const memory = "memory"
