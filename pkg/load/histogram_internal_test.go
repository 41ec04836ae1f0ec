package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A quantile is never less than the true one, and hardly more.
func TestHistogram_Quantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: the same numbers each time
	var h histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(math.Exp(random.Float64()*21) * 1000)
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.95, 0.99, 0.9999, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		got := h.quantile(q)
		if got < want || float64(got) > float64(want)*(1+1.0/128)+float64(time.Microsecond) {
			t.Errorf("quantile %v is %v, want %v or at most 1/128 more", q, got, want)
		}
	}
	if h.quantile(1) != all[len(all)-1] {
		t.Errorf("the greatest is %v, want %v", h.quantile(1), all[len(all)-1])
	}
}

// Each bucket begins where the one before ends.
func TestHistogram_BucketsAreWhole(t *testing.T) {
	t.Parallel()
	for i := range buckets - 1 {
		if bucketOf(top(i)) != i || bucketOf(top(i)+1) != i+1 {
			t.Fatalf("bucket %d ends at %v, which is in %d; after it comes %d", i, top(i), bucketOf(top(i)), bucketOf(top(i)+1))
		}
	}
	if got := bucketOf(math.MaxInt64); got != buckets-1 {
		t.Errorf("the longest time is in bucket %d of %d", got, buckets)
	}
	if got := bucketOf(0); got != 0 {
		t.Errorf("no time at all is in bucket %d", got)
	}
}
