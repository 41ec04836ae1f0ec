package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

const (
	blockedFor = 20 * time.Second
	// workload is what waits in the work queue when the broker blocks.
	workload = 600
)

// A broker under a memory alarm for twenty seconds: it takes nothing from those
// that publish. Calls fail at once, casts wait or end with their context, what is
// queued is handled and acked, readiness is false, a Close is quick, and traffic
// flows again as soon as the alarm is over.
func TestBlocked(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{Before: func(ctx context.Context, _ faultkit.Entry) error {
		return wait(ctx, 200*time.Millisecond)
	}}), func(o *rpc.Options) { o.Prefetch = 4 })
	caller, leaver := k.Connect("caller"), k.Connect("leaver")
	for i := range workload {
		if err := k.Ledger.Record(t.Context(), caller, fmt.Sprintf("before-%d", i)); err != nil {
			t.Fatal(err)
		}
	}

	block(t, k, caller, leaver)
	began := time.Now()
	waiting := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		waiting <- k.Ledger.Record(ctx, caller, "waited")
	}()
	checkCallsFail(t, k, caller)
	checkCastEnds(t, k, caller)
	checkWorkGoesOn(t, worker)
	checkCloses(t, leaver)
	faultkit.During(t, blockedFor-time.Since(began))
	checkCallsFail(t, k, caller)
	select {
	case err := <-waiting:
		t.Errorf("the cast did not wait: %v", err)
	default:
	}

	broker.Control("set_vm_memory_high_watermark", "absolute", "1GB")
	over := time.Now()
	if err := <-waiting; err != nil {
		t.Errorf("the cast that waited: %v", err)
	}
	faultkit.Eventually(t, "traffic flows", time.Second, func() bool {
		_, err := k.Ledger.Insert(t.Context(), caller, "after")
		return err == nil
	})
	t.Logf("traffic flowed %v after the alarm", time.Since(over))
	if err := caller.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	faultkit.Eventually(t, "every cast is done", time.Minute, func() bool { return k.Ledger.Balanced(t) })
	if lost := caller.Metric(t, "connections_lost_total"); lost != 0 {
		t.Errorf("%v connections lost", lost)
	}
}

// block raises the alarm and returns when the peers know of it. RabbitMQ blocks a
// connection, and tells it, at its first publish under the alarm.
func block(t *testing.T, k *faultkit.Kit, peers ...*faultkit.Peer) {
	t.Helper()
	k.Broker.Control("set_vm_memory_high_watermark", "absolute", "1")
	for i, peer := range peers {
		n := 0
		faultkit.Eventually(t, "the peer knows that it is blocked", 10*time.Second, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			n++
			_ = k.Ledger.Record(ctx, peer, fmt.Sprintf("probe-%d-%d", i, n)) // the ledger knows how it ended
			return peer.Ready() != nil
		})
	}
}

func checkCallsFail(t *testing.T, k *faultkit.Kit, caller *faultkit.Peer) {
	t.Helper()
	most := time.Duration(0)
	for i := range 100 {
		began := time.Now()
		_, err := k.Ledger.Insert(t.Context(), caller, fmt.Sprintf("blocked-%d", i))
		most = max(most, time.Since(began))
		if rpc.ReasonOf(err) != "overloaded" || faultkit.RanOf(err) != rpc.RanNo {
			t.Fatalf("call while blocked: %v, ran %q; want overloaded, no", err, faultkit.RanOf(err))
		}
	}
	if most > 50*time.Millisecond {
		t.Errorf("a call took %v to fail, want under 50ms", most)
	}
	t.Logf("calls fail in %v at most", most)
	if caller.Ready() == nil {
		t.Error("the caller is ready while it is blocked")
	}
}

func checkCastEnds(t *testing.T, k *faultkit.Kit, caller *faultkit.Peer) {
	t.Helper()
	const patience = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	err := k.Ledger.Record(ctx, caller, "impatient")
	if took := time.Since(began); faultkit.RanOf(err) != rpc.RanNo || took < patience || took > patience+200*time.Millisecond {
		t.Errorf("a cast with %v: %v, ran %q, after %v; want no, then", patience, err, faultkit.RanOf(err), took)
	}
}

// checkWorkGoesOn sees several prefetches handled, which takes acks.
func checkWorkGoesOn(t *testing.T, worker *faultkit.Peer) {
	t.Helper()
	before := worker.Metric(t, "handle_seconds", "method", "ledger.record")
	took := faultkit.Eventually(t, "forty casts more are handled", 10*time.Second, func() bool {
		return worker.Metric(t, "handle_seconds", "method", "ledger.record") >= before+40
	})
	t.Logf("forty casts were handled in %v while the broker blocks", took)
}

func checkCloses(t *testing.T, leaver *faultkit.Peer) {
	t.Helper()
	began := time.Now()
	leaver.Stop(t)
	if took := time.Since(began); took > 2*time.Second+200*time.Millisecond {
		t.Errorf("close took %v, want 2s at most", took)
	} else {
		t.Logf("close took %v", took)
	}
}
