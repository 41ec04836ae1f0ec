package faults_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

// A broker that is killed while a handler works: the caller knows in half a
// second that the handler may have run, and the same call gets the stored result
// later.
func TestBroker_KilledDuringACall(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	began, finish := make(chan struct{}, 2), make(chan struct{})
	k.Serve(k.Ledger.Routes(faultkit.Hooks{After: func(ctx context.Context, _ faultkit.Entry) error {
		began <- struct{}{}
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}))
	caller := k.Connect("caller")

	outcome := make(chan error, 1)
	go func() {
		_, err := k.Ledger.Touch(t.Context(), caller, "student")
		outcome <- err
	}()
	<-began
	broker.Settle()
	killed := time.Now()
	broker.Kill()
	err := <-outcome
	if took := time.Since(killed); took > 500*time.Millisecond {
		t.Errorf("the caller knew after %v, want under 500ms", took)
	} else {
		t.Logf("the caller knew after %v: %v", took, err)
	}
	if rpc.CodeOf(err) != rpc.Unavailable || faultkit.RanOf(err) != rpc.RanMaybe {
		t.Errorf("outcome %v, ran %q; want unavailable, maybe", err, faultkit.RanOf(err))
	}

	broker.Start()
	close(finish)
	receipt, err := k.Ledger.Insert(t.Context(), caller, "student")
	if err != nil {
		t.Fatalf("the same call after the restart: %v", err)
	}
	if receipt.First || receipt.By == receipt.Token {
		t.Errorf("receipt %+v, want the stored result of the first call", receipt)
	}
}

// A broker that is restarted, or killed, with a thousand calls and a thousand
// casts under way: each has one outcome, what was confirmed is done once, and
// traffic flows again within two seconds.
func TestBroker_RestartedUnderLoad(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	for name, end := range map[string]func(*testenv.Server){ //nolint:paralleltest // one load at a time
		"stopped": (*testenv.Server).Stop,
		"killed":  (*testenv.Server).Kill,
	} {
		t.Run(name, func(t *testing.T) { restartUnderLoad(t, end) })
	}
}

const (
	inFlight = 1000 // calls, and as many casts
	backIn   = 2 * time.Second
)

func restartUnderLoad(t *testing.T, end func(*testenv.Server)) {
	t.Helper()
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
	k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
	caller := k.Connect("caller")
	broker.Settle()

	load := startLoad(t, k.Ledger, caller)
	faultkit.Eventually(t, "a part of the load is through", time.Minute, func() bool { return load.ended.Load() > inFlight/4 })
	end(broker)
	t.Logf("%d of %d outcomes before the broker was gone", load.ended.Load(), 2*inFlight)
	opens := k.PortOpens()
	broker.Start()
	opened := faultkit.Receive(t, "open port", time.Minute, opens)
	flows := flowsAgain(t, k.Ledger, caller, opened)
	faultkit.Eventually(t, "all consumers are back", time.Until(opened.Add(backIn)), func() bool {
		for _, queue := range []string{"rpc-ledger", "ledger.call.v1", "ledger.work.v1"} {
			if _, consumers := k.Queue(queue); consumers != 2 {
				return false
			}
		}
		return true
	})
	t.Logf("traffic flows %v after the port opened, all consumers are back %v after", flows, time.Since(opened))

	load.Wait()
	if n := load.ended.Load(); n != 2*inFlight {
		t.Errorf("%d outcomes, want %d", n, 2*inFlight)
	}
	faultkit.Eventually(t, "every confirmed cast is done", time.Minute, func() bool { return k.Ledger.Balanced(t) })
	if n, err := caller.CountParked(t.Context(), "ledger"); n != 0 || err != nil {
		t.Errorf("%d parked, %v", n, err)
	}
}

// load is calls and casts under way.
type load struct {
	sync.WaitGroup
	ended atomic.Int64
}

func startLoad(t *testing.T, ledger *faultkit.Ledger, caller *faultkit.Peer) *load {
	t.Helper()
	l := &load{}
	for i := range inFlight {
		l.Go(func() {
			call := ledger.Touch
			if i%2 == 0 {
				call = ledger.Insert
			}
			_, _ = call(t.Context(), caller, fmt.Sprintf("call-%d", i)) // the ledger has its outcome
			l.ended.Add(1)
		})
		l.Go(func() {
			_ = ledger.Record(t.Context(), caller, fmt.Sprintf("cast-%d", i)) // the ledger has its outcome
			l.ended.Add(1)
		})
	}
	return l
}

// flowsAgain makes a call every 50 ms and returns how long after opened the first
// one got its answer.
func flowsAgain(t *testing.T, ledger *faultkit.Ledger, caller *faultkit.Peer, opened time.Time) time.Duration {
	t.Helper()
	var calls sync.WaitGroup
	defer calls.Wait()
	ctx, cancel := context.WithDeadline(t.Context(), opened.Add(backIn))
	defer cancel()
	first := make(chan time.Duration, 1)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		calls.Go(func() {
			if _, err := ledger.Insert(ctx, caller, fmt.Sprintf("again-%d", n)); err == nil {
				select {
				case first <- time.Since(opened):
				default: // another one was first
				}
			}
		})
		select {
		case took := <-first:
			return took
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%v after the port opened no call has an answer", backIn)
		}
	}
}
