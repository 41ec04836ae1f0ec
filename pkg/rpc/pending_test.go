package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPending_losesOneEpoch(t *testing.T) {
	t.Parallel()
	var p pending
	first, _ := p.add("first", 1)
	second, _ := p.add("second", 2)
	p.lose(1)
	if o := <-first; o.failure == nil || o.failure.Ran != RanMaybe {
		t.Errorf("outcome %+v", o)
	}
	if _, ok := p.add("late", 1); ok {
		t.Error("an epoch that is over took a call")
	}
	if !p.settle("second", outcome{body: []byte("x")}) || string((<-second).body) != "x" {
		t.Error("the call of the next epoch had no reply")
	}
	if p.settle("second", outcome{}) || len(p.calls) != 0 {
		t.Errorf("settled twice, or %d are left", len(p.calls))
	}
}

// However reply, failure and loss race, there is one outcome.
func TestPending_oneOutcome(t *testing.T) {
	t.Parallel()
	for range 200 {
		var p pending
		result, _ := p.add("id", 1)
		var settled atomic.Int64
		var racers sync.WaitGroup
		for range 3 {
			racers.Go(func() {
				if p.settle("id", outcome{}) {
					settled.Add(1)
				}
			})
		}
		racers.Go(func() { p.lose(1) })
		racers.Wait()
		<-result
		if settled.Load() > 1 || len(result) != 0 {
			t.Fatalf("settled %d times, %d more outcomes", settled.Load(), len(result))
		}
	}
}

func TestPending_forgetsWhoGaveUp(t *testing.T) {
	t.Parallel()
	b := NewMemoryBroker()
	if err := b.declare(Topology{Exchanges: []Exchange{{exchangeRPC, "topic"}}, Queues: []Queue{{Name: "q"}}, Bindings: []Binding{{exchangeRPC, "demo.*", "q"}}}); err != nil {
		t.Fatal(err)
	}
	conn := b.Connect(Options{Service: "caller"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := conn.Call(ctx, Message{Kind: KindCall, Target: "demo.echo"}); CodeOf(err) != DeadlineExceeded {
		t.Errorf("err = %v", err)
	}
	if len(conn.pending.calls) != 0 {
		t.Errorf("%d calls are left", len(conn.pending.calls))
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
