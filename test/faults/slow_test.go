package faults_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

const (
	slowBacklog  = 10_000
	slowHandler  = 5 * time.Second
	slowPrefetch = 4
	// ackTimeout is the broker's; slowFor is past it, and past the interval at
	// which the broker looks.
	ackTimeout = time.Minute
	slowFor    = ackTimeout + 20*time.Second
	// slowHeap is what a process may gain while it waits for slow handlers.
	slowHeap = 4 << 20
)

type sideNote struct {
	N int `json:"n"`
}

var side = rpc.NewCast[sideNote]("side.note")

// A handler that takes five seconds has ten thousand casts waiting for it, beyond
// the broker's timeout for acks. The process needs no more memory, serves its
// other methods, keeps its channels, and in the end everything is done once.
func TestSlowHandler(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	broker.Control("eval", fmt.Sprintf("application:set_env(rabbit, consumer_timeout, %d), application:set_env(rabbit, channel_tick_interval, 5000).", ackTimeout.Milliseconds()))

	var slow atomic.Bool
	var noted, atWork atomic.Int64
	slow.Store(true)
	routes := append(k.Ledger.Routes(faultkit.Hooks{Before: func(ctx context.Context, e faultkit.Entry) error {
		if !slow.Load() || e.Key[:4] != "slow" {
			return nil
		}
		if n := atWork.Add(1); n > slowPrefetch {
			t.Errorf("%d slow handlers at work, want %d at most", n, slowPrefetch)
		}
		defer atWork.Add(-1)
		return wait(ctx, slowHandler)
	}}), side.Handle(func(context.Context, sideNote) error {
		noted.Add(1)
		return nil
	}))
	worker := k.Serve(routes, func(o *rpc.Options) { o.Prefetch = slowPrefetch })
	caller := k.Connect("caller")
	hoarder := startHoarder(t, broker.URL())
	recordAll(t, k, caller, slowBacklog)

	began, heap, goroutines := time.Now(), heapInUse(), runtime.NumGoroutine()
	most := time.Duration(0)
	for i := 0; time.Since(began) < slowFor; i++ {
		asked := time.Now()
		if _, err := k.Ledger.Insert(t.Context(), caller, fmt.Sprintf("call-%d", i)); err != nil {
			t.Errorf("a call beside the slow casts: %v", err)
		}
		if err := side.Send(t.Context(), caller, sideNote{N: i}); err != nil {
			t.Errorf("a cast beside the slow casts: %v", err)
		}
		faultkit.Eventually(t, "the other cast is done", time.Second, func() bool { return noted.Load() == int64(i+1) })
		most = max(most, time.Since(asked))
		faultkit.During(t, time.Second-min(time.Since(asked), 990*time.Millisecond))
	}
	t.Logf("%d calls and casts beside it, %v at most for both", noted.Load(), most)
	if most > time.Second {
		t.Errorf("another call and cast took %v", most)
	}
	if grown := int64(heapInUse()) - int64(heap); grown > slowHeap { //nolint:gosec // far below the limit
		t.Errorf("the heap grew by %d KiB", grown>>10)
	} else {
		t.Logf("the heap grew by %d KiB", grown>>10)
	}
	if n := runtime.NumGoroutine(); n > goroutines+20 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	hoarder.wasCutOff(t)

	slow.Store(false)
	took := faultkit.Eventually(t, "everything is done", 5*time.Minute, func() bool { return k.Ledger.Balanced(t) })
	t.Logf("the rest was done in %v", took)
	if said := k.Proxy.Exceptions(); len(said) > 0 {
		t.Errorf("the broker closed: %v", said)
	}
	if lost := worker.Metric(t, "connections_lost_total"); lost != 0 {
		t.Errorf("%v connections lost", lost)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// recordAll casts n times, some side by side.
func recordAll(t *testing.T, k *faultkit.Kit, caller *faultkit.Peer, n int) {
	t.Helper()
	const lanes = 50
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for i := lane; i < n; i += lanes {
				if err := k.Ledger.Record(t.Context(), caller, fmt.Sprintf("slow-%d", i)); err != nil {
					t.Errorf("cast %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// hoarder takes a message and never acks it: it shows that the broker's timeout
// is at work.
type hoarder struct{ closed chan *amqp.Error }

func startHoarder(t *testing.T, url string) hoarder {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // nothing is left to be said
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	queue, err := ch.QueueDeclare("hoard", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.PublishWithContext(t.Context(), "", queue.Name, true, false, amqp.Publishing{Body: []byte("kept")}); err != nil {
		t.Fatal(err)
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	if _, err := ch.ConsumeWithContext(context.WithoutCancel(t.Context()), queue.Name, "", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return hoarder{closed}
}

func (h hoarder) wasCutOff(t *testing.T) {
	t.Helper()
	select {
	case err := <-h.closed:
		if err == nil || err.Code != amqp.PreconditionFailed {
			t.Errorf("the hoarder's channel: %v, want 406", err)
		}
		t.Logf("the broker's timeout is at work: %v", err)
	default:
		t.Error("the broker's timeout for acks is not at work")
	}
}
