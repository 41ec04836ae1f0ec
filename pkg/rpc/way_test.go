package rpc

import (
	"testing"
	"testing/synctest"
	"time"
)

// A service without a call queue is not asked for one at each call, and is asked again.
func TestWay_Detour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w ways
		way := w.of("demo")
		if way.queue != "demo.call.v1" || !way.isStraight() {
			t.Errorf("the first way is %q, straight: %v", way.queue, way.isStraight())
		}
		way.takeDetour()
		<-time.After(detourLife - time.Millisecond)
		if w.of("demo").isStraight() || !w.of("other").isStraight() {
			t.Error("the detour is not taken, or by others as well")
		}
		<-time.After(time.Millisecond)
		if !w.of("demo").isStraight() {
			t.Error("the detour has no end")
		}
	})
}
