package load

import (
	"math/bits"
	"time"
)

// A histogram counts times in buckets whose width is at most 1/128 of their
// value, from a microsecond to more than an hour, in 13 KiB. Longer times share the last
// bucket.
const (
	subBits    = 7
	subBuckets = 1 << subBits
	// topBit bounds what is told apart: 2^32 µs are 71 minutes.
	topBit  = 32
	buckets = (topBit - subBits + 1) * subBuckets
)

// histogram is of times. The zero value is empty.
type histogram struct {
	counts [buckets]uint32
	total  uint64
	sum    time.Duration
	max    time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)]++
	h.total++
	h.sum += d
	h.max = max(h.max, d)
}

// bucketOf keeps the first 8 binary digits of the microseconds.
func bucketOf(d time.Duration) int {
	us := min(uint64(d/time.Microsecond), 1<<topBit-1) //nolint:gosec // G115: d is not negative
	shift := max(bits.Len64(us)-subBits-1, 0)
	return shift<<subBits + int(us>>shift) //nolint:gosec // G115: less than buckets
}

// top is the greatest time in a bucket.
func top(bucket int) time.Duration {
	shift := max(bucket>>subBits-1, 0)
	low := uint64(bucket - shift<<subBits)                    //nolint:gosec // G115: not negative
	return time.Duration((low+1)<<shift)*time.Microsecond - 1 //nolint:gosec // G115: 2^32 µs at most
}

// quantile is a time that the share q of all did not exceed: the greatest of its
// bucket, so never less than the true one, and at most 1/128 or 1 µs more.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q*float64(h.total) + 0.9999999)
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += uint64(n); seen >= rank && i < buckets-1 {
			return min(top(i), h.max)
		}
	}
	return h.max
}

func (h *histogram) latency() Latency {
	l := Latency{
		Count: int(h.total), //nolint:gosec // G115: counted one by one
		P50:   millis(h.quantile(0.50)), P95: millis(h.quantile(0.95)), P99: millis(h.quantile(0.99)),
		Max: millis(h.max),
	}
	if h.total > 0 {
		l.Mean = millis(h.sum / time.Duration(h.total)) //nolint:gosec // G115: counted one by one
	}
	return l
}

// millis keeps microseconds.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
