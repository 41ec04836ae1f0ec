package rpc

import (
	"testing"
	"time"
)

func TestStats(t *testing.T) {
	t.Parallel()
	var s stats
	if s.quantile(.5) != 0 || s.mean() != 0 {
		t.Error("numbers before anything happened")
	}
	for range 98 {
		s.observe(time.Millisecond, false)
	}
	s.observe(time.Second, true)
	s.observe(time.Hour, true)
	if got := s.quantile(.5); got != 1024*time.Microsecond {
		t.Errorf("p50 = %v", got)
	}
	if got := s.quantile(.98); got != 1048576*time.Microsecond {
		t.Errorf("p98 = %v", got)
	}
	if s.count.Load() != 100 || s.errors.Load() != 2 {
		t.Errorf("%d, %d errors", s.count.Load(), s.errors.Load())
	}
	if got := bucketOf(-time.Second); got != 0 {
		t.Errorf("a clock that went back falls into %d", got)
	}
}
