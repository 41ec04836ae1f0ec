package metric_test

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/metric"
)

// Whoever counts under a key, and when, counts in the child that the labels have.
func TestChildren_AreThoseOfTheVector(t *testing.T) {
	t.Parallel()
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "doors_total"}, []string{"door", "way"})
	type key struct{ door, way string }
	children := metric.NewChildren(func(k key) prometheus.Counter { return vector.WithLabelValues(k.door, k.way) })
	keys := []key{{"front", "in"}, {"front", "out"}, {"back", "in"}}
	const each, times = 8, 100
	var all sync.WaitGroup
	for range each {
		all.Go(func() {
			for range times {
				for _, k := range keys {
					children.Of(k).Inc()
				}
			}
		})
	}
	all.Wait()
	for _, k := range keys {
		if got := testutil.ToFloat64(vector.WithLabelValues(k.door, k.way)); got != each*times {
			t.Errorf("%v was counted %v times, want %d", k, got, each*times)
		}
	}
	if got := testutil.CollectAndCount(vector); got != len(keys) {
		t.Errorf("the vector has %d children, want %d", got, len(keys))
	}
}
