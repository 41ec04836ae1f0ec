package peer

import (
	"context"
	"runtime"
	"sync"
	"time"

	"matriq/bench/measure"
)

// perSecond is how many operations of one user are made room for, so that noting
// how long they took allocates nothing while it is counted.
const perSecond = 4 << 10

// loop has users do the thing, one after the other each, for a time.
func loop(ctx context.Context, users int, length time.Duration, do func(ctx context.Context, user int) error) measure.Sample {
	took := make([][]time.Duration, users)
	for i := range took {
		took[i] = make([]time.Duration, 0, 1024+int(length.Seconds()*perSecond))
	}
	faults := make([]int, users)
	before := mallocs()
	began := time.Now()
	end := began.Add(length)
	var all sync.WaitGroup
	for i := range users {
		all.Go(func() {
			for at := time.Now(); at.Before(end) && ctx.Err() == nil; {
				err := do(ctx, i)
				now := time.Now()
				if err != nil {
					faults[i]++
				} else {
					took[i] = append(took[i], now.Sub(at))
				}
				at = now
			}
		})
	}
	all.Wait()
	elapsed, allocated := time.Since(began), mallocs()-before
	return summary(took, faults, elapsed, allocated)
}

func summary(took [][]time.Duration, faults []int, elapsed time.Duration, allocated uint64) measure.Sample {
	var latencies []time.Duration
	failed := 0
	for i := range took {
		latencies = append(latencies, took[i]...)
		failed += faults[i]
	}
	s := measure.Timed(latencies, failed, elapsed)
	if s.Count > 0 {
		s.Add(measure.Allocs, "an operation", float64(allocated)/float64(s.Count))
	}
	return s
}

// mallocs is how many objects this process has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
