package rpc

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// stats counts what an endpoint did, without a lock. Latencies fall into
// buckets whose bounds double from 128 µs on.
type stats struct {
	count, errors atomic.Int64
	total         atomic.Int64
	buckets       [statBuckets]atomic.Int64
}

const (
	statBuckets = 24
	firstBucket = 128 * time.Microsecond
)

func (s *stats) observe(took time.Duration, failed bool) {
	s.count.Add(1)
	if failed {
		s.errors.Add(1)
	}
	s.total.Add(int64(took))
	s.buckets[bucketOf(took)].Add(1)
}

func bucketOf(took time.Duration) int {
	return min(bits.Len64(uint64(max(took, 0)/firstBucket)), statBuckets-1)
}

// quantile returns the upper bound of the bucket that holds the q-th part.
func (s *stats) quantile(q float64) time.Duration {
	var counts [statBuckets]int64
	var all int64
	for i := range counts {
		counts[i] = s.buckets[i].Load()
		all += counts[i]
	}
	rank := int64(q * float64(all))
	for i, n := range counts {
		if rank -= n; rank < 0 {
			return firstBucket << i
		}
	}
	return 0
}

func (s *stats) mean() time.Duration {
	n := s.count.Load()
	if n == 0 {
		return 0
	}
	return time.Duration(s.total.Load() / n)
}
