package faultkit

import (
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// heapBound is what a test may leave behind on the heap: caches, pools, and the
// journals of its programs. A leak by each of thousands of messages is more.
const heapBound = 8 << 20

// watch compares the process at the end of the test with what it is now. It is
// registered before everything else, so that its check comes last.
func watch(tb testing.TB) {
	tb.Helper()
	present := goleak.IgnoreCurrent()
	before := heap()
	tb.Cleanup(func() {
		if err := goleak.Find(present); err != nil {
			tb.Errorf("goroutines stayed behind: %v", err)
		}
		if after := heap(); after > before+heapBound {
			tb.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the second one frees what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
