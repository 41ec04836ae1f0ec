package faults_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

// holderRole is a worker that commits and then answers and acks nothing more.
const holderRole = "holder"

func holder(ctx context.Context, args []string) error {
	ledger, err := faultkit.OpenLedger(ctx, args[1])
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(args[0], rpc.Options{Service: "holder"})
	if err != nil {
		return err
	}
	return conn.Serve(ctx, ledger.Routes(faultkit.Hooks{After: func(context.Context, faultkit.Entry) error {
		<-ctx.Done()
		return ctx.Err()
	}})...)
}

// A worker that is killed between its commit and its ack: what it had is handed
// out again, the caller gets the stored result, and there is one row.
func TestWorker_KilledBetweenCommitAndAck(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	worker := faultkit.Spawn(t, holderRole, k.Proxy.URL(), k.Ledger.Path())
	caller := k.Connect("caller")
	faultkit.Eventually(t, "the worker serves", serves, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := rpc.NewMethod[struct{}, rpc.Pong]("ledger.ping", time.Second).Call(ctx, caller, struct{}{})
		return err == nil
	})

	answer := make(chan faultkit.Receipt, 1)
	go func() {
		receipt, err := k.Ledger.Touch(t.Context(), caller, "call")
		if err != nil {
			t.Errorf("the call: %v", err)
		}
		answer <- receipt
	}()
	if err := k.Ledger.Record(t.Context(), caller, "cast"); err != nil {
		t.Fatal(err)
	}
	faultkit.Eventually(t, "both are committed", serves, func() bool {
		rows, err := k.Ledger.Effects(t.Context())
		return err == nil && rows["call"] == 1 && rows["cast"] == 1
	})
	worker.Kill()
	killed := time.Now()

	k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
	if receipt := faultkit.Receive(t, "answer", serves, answer); receipt.First || receipt.By != receipt.Token {
		t.Errorf("receipt %+v, want the stored result of the very same request", receipt)
	}
	t.Logf("the caller had the stored result %v after the kill", time.Since(killed))
	faultkit.Eventually(t, "the cast is handed out again", serves, func() bool { return k.Ledger.Runs("cast") == 1 })
	k.Drained(serves)
}

// serves is more than enough for a worker to start or to come back.
const serves = 30 * time.Second

const twice = 200 // casts, and as many calls

// Every cast is sent twice under its key, every ack is lost, and everything is
// handed out again: one effect a key, and the broker finds no fault with us.
func TestWorker_EveryMessageTwiceAndNoAck(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{}), func(o *rpc.Options) { o.Prefetch = 3 * twice })
	caller := k.Behind(faultkit.NewProxy(t, broker.URL())).Connect("caller")

	acks := loseAcks(k.Proxy)
	var senders sync.WaitGroup
	for i := range twice {
		senders.Go(func() {
			if _, err := k.Ledger.Touch(t.Context(), caller, fmt.Sprintf("call-%d", i)); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
		for range 2 {
			senders.Go(func() {
				if err := k.Ledger.Record(t.Context(), caller, fmt.Sprintf("cast-%d", i)); err != nil {
					t.Errorf("cast %d: %v", i, err)
				}
			})
		}
	}
	senders.Wait()
	faultkit.Eventually(t, "everything has run and all acks are lost", serves, func() bool {
		return ranTimes(k, 1) && acks.all()
	})
	k.Proxy.Pass(nil)
	k.Proxy.Cut()

	faultkit.Eventually(t, "everything has run again", serves, func() bool { return ranTimes(k, 2) })
	k.Drained(serves)
	faultkit.Eventually(t, "the second replies are dropped and counted", serves, func() bool {
		return caller.Metric(t, "replies_dropped_total") == twice
	})
	if said := k.Proxy.Exceptions(); len(said) > 0 {
		t.Errorf("the broker closed something: %v", said)
	}
	if n := worker.Metric(t, "connections_lost_total"); n != 1 {
		t.Errorf("%v connections lost, want the one that was cut", n)
	}
}

// ranTimes tells whether each call has run that often, and each cast, of which there
// were two, twice as often.
func ranTimes(k *faultkit.Kit, times int) bool {
	for i := range twice {
		if k.Ledger.Runs(fmt.Sprintf("call-%d", i)) != times || k.Ledger.Runs(fmt.Sprintf("cast-%d", i)) != 2*times {
			return false
		}
	}
	return true
}

// loseAcks drops the acks of one client and counts what they are for.
func loseAcks(p *faultkit.Proxy) *acked {
	acks := &acked{deliveries: make(map[ackedDelivery]bool)}
	p.Pass(func(side faultkit.Direction, f faultkit.Frame) bool {
		if side == faultkit.FromClient && f.Is(60, 80) {
			acks.note(f)
			return false
		}
		if side == faultkit.FromBroker && f.Is(60, 60) {
			acks.deliver()
		}
		return true
	})
	return acks
}

// acked is the deliveries that a client has acked, and how many there were.
type acked struct {
	mu         sync.Mutex
	deliveries map[ackedDelivery]bool
	delivered  int
}

type ackedDelivery struct {
	channel uint16
	tag     uint64
}

// note reads a basic.ack, which may be for all up to its tag.
func (a *acked) note(f faultkit.Frame) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tag, multiple := binary.BigEndian.Uint64(f.Payload[4:]), f.Payload[12]&1 != 0
	for a.deliveries[ackedDelivery{f.Channel, tag}] = true; multiple && tag > 1; {
		tag--
		a.deliveries[ackedDelivery{f.Channel, tag}] = true
	}
}

func (a *acked) deliver() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delivered++
}

// all tells whether each delivery is acked. A delivery may have several calls or casts.
func (a *acked) all() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.delivered > 0 && len(a.deliveries) == a.delivered
}

// A handler that sleeps across a reconnect and then acks: its ack is of a
// delivery that no longer exists, and removes nobody else's message.
func TestWorker_SleepsAcrossAReconnect(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	first, rest := make(chan struct{}), make(chan struct{})
	gate := first
	var mu sync.Mutex
	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{Before: func(context.Context, faultkit.Entry) error {
		mu.Lock()
		wait := gate
		mu.Unlock()
		<-wait
		return nil
	}}))
	caller := k.Connect("caller")
	record := func(key string) {
		if err := k.Ledger.Record(t.Context(), caller, key); err != nil {
			t.Fatal(err)
		}
	}
	runs := func(key string, n int) {
		faultkit.Eventually(t, fmt.Sprintf("run %d of %s", n, key), serves, func() bool { return k.Ledger.Runs(key) == n })
	}

	record("sleeper")
	runs("sleeper", 1)
	mu.Lock()
	gate = rest
	mu.Unlock()
	k.Proxy.Cut()
	runs("sleeper", 2)
	others := []string{"a", "b", "c", "d"}
	for _, key := range others {
		record(key)
		runs(key, 1)
	}

	close(first)
	faultkit.Eventually(t, "the sleeper has acked", serves, func() bool {
		return worker.Metric(t, "handle_seconds", "method", "ledger.record") == 1 && worker.Metric(t, "handling") == 5
	})
	k.Proxy.Cut() // what is not settled comes back, and what was removed does not
	for _, key := range others {
		runs(key, 2)
	}
	runs("sleeper", 3)
	close(rest)
	k.Drained(serves)
	if said := k.Proxy.Exceptions(); len(said) > 0 {
		t.Errorf("the broker closed something: %v", said)
	}
}
