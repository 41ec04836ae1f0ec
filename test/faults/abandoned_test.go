package faults_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

const (
	abandoned = 10_000
	// batch is less than what a connection holds before it calls itself
	// overloaded.
	batch = 500
	// patience is how long those wait that give up.
	patience = time.Second
	// callQueue is where the callers of package rpc put their requests, and
	// requestQueue where others do.
	callQueue    = "ledger.call.v1"
	requestQueue = "rpc-ledger"
	// packed is how many calls may share a message, which is what the broker counts.
	packed = 16
	// liveWithin is for the first call of somebody who waits.
	liveWithin = 200 * time.Millisecond
)

// Ten thousand calls are queued while nobody serves, behind one that waits for
// longer, and their callers have gone. When workers start, none of them is
// handled: the broker drops them and counts their messages, and the callers count
// each of them.
func TestAbandonedCalls(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	k.Serve(k.Ledger.Routes(faultkit.Hooks{})).Stop(t) // the queue is there, and nobody at work
	caller := k.Connect("caller")
	queue := openQueue(t, k.Broker.URL())
	before := expiredByBroker(t, k)

	patient := make(chan error, 1)
	go func() {
		_, err := k.Ledger.Touch(t.Context(), caller, "patient")
		patient <- err
	}()
	faultkit.Eventually(t, "the patient call is queued", 20*time.Second, func() bool { return queue.depth(t, callQueue) == 1 })
	for n := batch; n <= abandoned; n += batch {
		abandon(t, k, caller, n-batch)
		faultkit.Eventually(t, "the calls are queued", 20*time.Second, func() bool { return packed*queue.depth(t, callQueue) >= n+1 })
	}

	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
	began := time.Now()
	if _, err := k.Ledger.Touch(t.Context(), caller, "live"); err != nil {
		t.Errorf("the live call: %v", err)
	}
	if took := time.Since(began); took > liveWithin {
		t.Errorf("the live call took %v, want %v", took, liveWithin)
	} else {
		t.Logf("the live call took %v", took)
	}
	if err := <-patient; err != nil {
		t.Errorf("the patient call: %v", err)
	}
	if ran := worker.Metric(t, "handle_seconds", "method", "ledger.touch"); ran != 2 {
		t.Errorf("%v handlers ran, want those of the patient and of the live one", ran)
	}
	swept := worker.Metric(t, "expired_total")
	dropped := expiredByBroker(t, k) - before
	t.Logf("%d messages dropped by the broker, %v calls by the worker", dropped, swept)
	if rest := abandoned - int(swept); dropped > rest || packed*dropped < rest {
		t.Errorf("%d messages and %v calls are counted as expired, which are not %d calls", dropped, swept, abandoned)
	}
	if gone := caller.Metric(t, "call_seconds", "code", "deadline_exceeded"); gone != abandoned {
		t.Errorf("%v calls are counted as past their deadline, want %d", gone, abandoned)
	}
}

// abandon makes a batch of calls, numbered from first on, whose callers give up.
func abandon(t *testing.T, k *faultkit.Kit, caller *faultkit.Peer, first int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var callers sync.WaitGroup
	for i := first; i < first+batch; i++ {
		callers.Go(func() {
			if _, err := k.Ledger.Touch(ctx, caller, fmt.Sprintf("gone-%d", i)); rpc.CodeOf(err) != rpc.DeadlineExceeded {
				t.Errorf("call %d: %v, want its deadline", i, err)
			}
		})
	}
	callers.Wait()
}

// The same with requests that say when they lose their sense and not to the
// broker, which then keeps them: the worker sweeps them away, unread, and counts
// them.
func TestAbandonedCalls_thatTheBrokerKeeps(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	k.Serve(k.Ledger.Routes(faultkit.Hooks{})).Stop(t)
	caller := k.Connect("caller")
	queue := openQueue(t, k.Broker.URL())
	for range abandoned {
		queue.publish(t, amqp.Publishing{
			ContentType: "application/json", ReplyTo: "gone", CorrelationId: "gone",
			Headers: amqp.Table{"matriq.deadline": time.Now().UnixMilli()},
			Body:    []byte(`{"args": [{"key": "gone", "token": "gone"}], "kwargs": {}}`),
		})
	}
	faultkit.Eventually(t, "the requests are queued", 20*time.Second, func() bool { return queue.depth(t, requestQueue) == abandoned })

	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
	began := time.Now()
	answered := make(chan time.Time, 1)
	go func() {
		if _, err := k.Ledger.Touch(t.Context(), caller, "live"); err != nil {
			t.Errorf("the live call: %v", err)
		}
		answered <- time.Now()
	}()
	faultkit.Eventually(t, "all are swept away", time.Minute, func() bool { return worker.Metric(t, "expired_total", "kind", "call") == abandoned })
	swept := time.Now()
	after := (<-answered).Sub(swept)
	t.Logf("swept in %v, the live call was answered %v later", swept.Sub(began), after)
	if after > liveWithin {
		t.Errorf("the live call was answered %v after the sweep, want %v", after, liveWithin)
	}
	if ran := worker.Metric(t, "handle_seconds", "method", "ledger.touch"); ran != 1 {
		t.Errorf("%v handlers ran, want the live one", ran)
	}
}

// requests is the ledger's queues of requests, seen past the proxy.
type requests struct{ ch *amqp.Channel }

func openQueue(t *testing.T, url string) requests {
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
	return requests{ch}
}

func (r requests) depth(t *testing.T, queue string) int {
	t.Helper()
	q, err := r.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.Messages
}

func (r requests) publish(t *testing.T, m amqp.Publishing) {
	t.Helper()
	if err := r.ch.PublishWithContext(t.Context(), "nameko-rpc", "ledger.touch", true, false, m); err != nil {
		t.Fatal(err)
	}
}

// expiredByBroker is how many messages of classic queues the broker has dropped
// at their expiration. Prometheus has the same number as
// rabbitmq_global_messages_dead_lettered_expired_total, strategy disabled.
func expiredByBroker(t *testing.T, k *faultkit.Kit) int {
	t.Helper()
	out := k.Broker.Control("eval", "maps:get(messages_dead_lettered_expired_total, maps:get("+
		"[{queue_type,rabbit_classic_queue},{dead_letter_strategy,disabled}], rabbit_global_counters:overview())).")
	n, err := strconv.Atoi(out)
	if err != nil {
		t.Fatalf("the broker's counter: %s", out)
	}
	return n
}
