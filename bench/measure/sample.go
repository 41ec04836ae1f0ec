package measure

import (
	"maps"
	"slices"
	"time"

	"matriq/bench/procfs"
)

// Names of the values that most samples have.
const (
	Rate   = "rate"
	P50    = "p50"
	P99    = "p99"
	Allocs = "allocations"
	CPU    = "CPU"
	// Served is the CPU of all but the tools of the measurement.
	Served = "CPU served"
)

// isTool tells processes that ask from those that serve.
func isTool(name string) bool {
	return slices.Contains([]string{"driver", "client", "load", "mail"}, name)
}

// Value is one number of a sample.
type Value struct {
	Name, Unit string
	Number     float64
}

// Sample is what a contender did in a round.
type Sample struct {
	// Count is how many operations succeeded, Errors how many did not.
	Count, Errors int
	Values        []Value
}

// Timed is the sample of operations that took latencies and ended within
// elapsed. It sorts latencies.
func Timed(latencies []time.Duration, errors int, elapsed time.Duration) Sample {
	slices.Sort(latencies)
	s := Sample{Count: len(latencies), Errors: errors}
	s.Add(Rate, "/s", float64(len(latencies))/elapsed.Seconds())
	s.Add(P50, "ms", milliseconds(Quantile(latencies, 0.50)))
	s.Add(P99, "ms", milliseconds(Quantile(latencies, 0.99)))
	return s
}

// Add adds a value.
func (s *Sample) Add(name, unit string, number float64) {
	s.Values = append(s.Values, Value{name, unit, number})
}

// addUsage adds what the processes used for one operation, all together first.
func (s *Sample) addUsage(u procfs.Usage) {
	each := func(used time.Duration) float64 { return float64(used.Microseconds()) / float64(s.Count) }
	var all, served time.Duration
	for name, used := range u.Own {
		all += used
		if !isTool(name) {
			served += used
		}
	}
	s.Add(CPU, "µs", each(all))
	s.Add(Served, "µs", each(served))
	for _, name := range slices.Sorted(maps.Keys(u.Own)) {
		s.Add(CPU+" "+name, "µs", each(u.Own[name]))
	}
}

// Quantile returns the smallest of sorted that is not less than the q-th part of
// them; 0 if there are none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
