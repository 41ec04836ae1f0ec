package faults_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

// rollings is how often the replica is replaced, the new one before the old one.
const rollings = 20

// A service is replaced twenty times under load, by SIGTERM. No call fails, none
// is even repeated, no cast is lost and nothing is parked.
func TestRolling(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	r := replica{url: k.Proxy.URL(), ledger: k.Ledger.Path(), arrivals: filepath.Join(t.TempDir(), "arrivals")}
	old := r.start(t)
	caller := k.Connect("caller")

	traffic := startTraffic(t, k, caller)
	for range rollings {
		next := r.start(t)
		if err := old.Stop(); err != nil {
			t.Errorf("a replica that was asked to stop: %v", err)
		}
		old = next
	}
	sent := traffic.end()
	faultkit.Eventually(t, "every cast is done", 30*time.Second, func() bool { return k.Ledger.Balanced(t) })
	account, err := k.Ledger.Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rollings, %d calls and casts: %v", rollings, sent, account)
	if account.OK != int(sent) || account.OK != account.Told {
		t.Errorf("%d of %d were told that it is done", account.OK, sent)
	}
	if repeats := caller.Metric(t, "call_repeats_total"); repeats != 0 {
		t.Errorf("%v calls were repeated", repeats)
	}
	if n, err := caller.CountParked(t.Context(), "ledger"); err != nil || n != 0 {
		t.Errorf("%d parked, %v", n, err)
	}
}

// traffic calls and casts until it is told to end.
type traffic struct {
	sent atomic.Int64
	stop chan struct{}
	wg   sync.WaitGroup
}

// loadWorkers of each kind work side by side.
const loadWorkers = 6

func startTraffic(t *testing.T, k *faultkit.Kit, caller *faultkit.Peer) *traffic {
	t.Helper()
	l := &traffic{stop: make(chan struct{})}
	kinds := map[string]func(context.Context, string) error{
		"insert": func(ctx context.Context, key string) error { _, err := k.Ledger.Insert(ctx, caller, key); return err },
		"touch":  func(ctx context.Context, key string) error { _, err := k.Ledger.Touch(ctx, caller, key); return err },
		"record": func(ctx context.Context, key string) error { return k.Ledger.Record(ctx, caller, key) },
	}
	for kind, send := range kinds {
		for worker := range loadWorkers {
			l.wg.Go(func() {
				for i := 0; !l.over(); i++ {
					key := fmt.Sprintf("%s-%d-%d", kind, worker, i)
					if err := send(t.Context(), key); err != nil {
						t.Errorf("%s: %v", key, err)
					}
					l.sent.Add(1)
					_ = wait(t.Context(), pace) // it ends with the test
				}
			})
		}
	}
	return l
}

func (l *traffic) over() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// end returns how many were sent, once all have their outcome.
func (l *traffic) end() int64 {
	close(l.stop)
	l.wg.Wait()
	return l.sent.Load()
}
