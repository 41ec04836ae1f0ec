package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/testenv"
)

// amqpKit is a running transport and what it tells.
type amqpKit struct {
	*amqpTransport
	t       testing.TB
	replies chan *envelope
	lost    chan uint64
	log     *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startAMQP starts a transport and closes it with the test.
func startAMQP(tb testing.TB, url string, change ...func(*amqpLimits)) *amqpKit {
	tb.Helper()
	limits := defaultAMQPLimits()
	limits.minDelay, limits.maxDelay = time.Millisecond, 20*time.Millisecond
	for _, c := range change {
		c(&limits)
	}
	log := &syncBuffer{}
	o := Options{Service: "kit", Log: slog.New(slog.NewTextHandler(log, nil))}.withDefaults()
	tr, err := newAMQPTransport(url, o, limits)
	if err != nil {
		tb.Fatal(err)
	}
	k := &amqpKit{amqpTransport: tr, t: tb, replies: make(chan *envelope, 100), lost: make(chan uint64, 100), log: log}
	tr.start(func(e *envelope) { k.replies <- e }, func(n uint64) { k.lost <- n })
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := tr.close(ctx); err != nil && !tb.Failed() {
			tb.Logf("close: %v", err)
		}
	})
	return k
}

// connect is startAMQP that waits for the broker.
func connect(tb testing.TB, url string, change ...func(*amqpLimits)) *amqpKit {
	tb.Helper()
	k := startAMQP(tb, url, change...)
	eventually(tb, "ready", func() bool { return k.ready() == nil })
	return k
}

// queue declares a queue of a name of its own and returns the name.
func (k *amqpKit) queue(args map[string]any) string {
	k.t.Helper()
	name := strings.ReplaceAll(k.t.Name(), "/", "_") + "-" + newReplyKey()[:8]
	if err := k.declare(k.t.Context(), Topology{Queues: []Queue{{Name: name, Args: args}}}); err != nil {
		k.t.Fatal(err)
	}
	return name
}

// send publishes to a queue and returns the outcome.
func (k *amqpKit) send(queue, body string) error {
	k.t.Helper()
	return publishAndWait(k.t.Context(), k.amqpTransport, &envelope{key: queue, mandatory: true, body: []byte(body)}, true)
}

func publishAndWait(ctx context.Context, t transport, e *envelope, wait bool) error {
	done := make(chan error, 1)
	t.publish(ctx, e, wait, func(err error) { done <- err })
	return <-done
}

// deleteQueue does so behind the transport's back.
func (k *amqpKit) deleteQueue(name string) {
	k.t.Helper()
	conn, err := amqp.Dial(k.uri)
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := ch.QueueDelete(name, false, false, false); err != nil {
		k.t.Fatal(err)
	}
}

func receive[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		tb.Fatalf("after 10 s still no %s", what)
		panic("unreachable")
	}
}

// subscribe consumes into a channel.
func (k *amqpKit) subscribe(queue string, prefetch int) (<-chan *delivery, func(context.Context) error) {
	k.t.Helper()
	out := make(chan *delivery, 1000)
	stop, err := k.consume(queue, prefetch, 0, func(d *delivery) { out <- d })
	if err != nil {
		k.t.Fatal(err)
	}
	return out, stop
}

func TestAMQP_CarriesEveryProperty(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	deliveries, _ := k.subscribe(queue, 4)
	sent := &envelope{
		key: queue, mandatory: true, contentType: "application/json", contentEncoding: "utf-8",
		correlationID: "c1", replyTo: "r1", transient: true, expiration: time.Minute,
		headers: map[string]any{"a": "b", "n": int64(1) << 40, "list": []any{"x", "y"}}, body: []byte(`{"ไทย":1}`),
	}
	if err := publishAndWait(t.Context(), k, sent, false); err != nil {
		t.Fatal(err)
	}
	d := receive(t, "delivery", deliveries)
	want := *sent
	want.mandatory = false // it is not carried
	if got := fmt.Sprintf("%+v", d.envelope); got != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %s\nwant %+v", got, want)
	}
	if d.queue != queue || d.redelivered || d.count != 0 {
		t.Errorf("queue %q, redelivered %v, count %d", d.queue, d.redelivered, d.count)
	}
	d.ack()
}

// Replies come straight, and from Nameko's services through their exchange.
func TestAMQP_Replies(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue, epoch, ok := k.replyTo()
	if !ok || epoch != 1 || queue == "" {
		t.Fatalf("replyTo = %q, %d, %v", queue, epoch, ok)
	}
	for _, exchange := range []string{exchangeDefault, exchangeRPC} {
		if err := publishAndWait(t.Context(), k, &envelope{exchange: exchange, key: queue, mandatory: true, correlationID: "c", body: []byte("hi")}, false); err != nil {
			t.Fatalf("through %q: %v", exchange, err)
		}
		if e := receive(t, "reply", k.replies); e.correlationID != "c" || string(e.body) != "hi" {
			t.Errorf("through %q: reply %+v", exchange, e)
		}
	}
}

// Thousands of unroutable envelopes among routable ones: each gets its own
// outcome, whatever the order in which the broker's words arrive.
func TestAMQP_TellsUnroutableFromRoutable(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t), func(l *amqpLimits) { l.window = 64 })
	queue := k.queue(nil)
	const callers, each = 64, 100
	var good, bad, wrong atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				e := &envelope{key: queue, mandatory: true, transient: c%2 == 0, body: []byte("x")}
				if (i+c)%3 == 0 {
					e.key = "nobody-home"
				}
				switch err := publishAndWait(t.Context(), k, e, true); {
				case err == nil && e.key == queue:
					good.Add(1)
				case errors.Is(err, errUnroutable) && e.key != queue:
					bad.Add(1)
				default:
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if wrong.Load() != 0 || good.Load()+bad.Load() != callers*each {
		t.Errorf("%d good, %d unroutable, %d wrong", good.Load(), bad.Load(), wrong.Load())
	}
	if n, err := k.count(t.Context(), queue); err != nil || int64(n) != good.Load() {
		t.Errorf("count = %d, %v, want %d", n, err, good.Load())
	}
}

// A queue at its limit refuses with nacks, which come out of order with the
// acks of others. What is reported as taken is in the queue, and nothing else.
func TestAMQP_TellsRefusedFromTaken(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	limited := k.queue(map[string]any{"x-max-length": int64(50), "x-overflow": "reject-publish", "x-queue-type": "quorum"})
	open := k.queue(nil)
	var taken, refused atomic.Int64
	var wg sync.WaitGroup
	for range 3000 {
		wg.Add(2)
		k.publish(t.Context(), &envelope{key: limited, body: []byte("x")}, true, func(err error) {
			defer wg.Done()
			switch {
			case err == nil:
				taken.Add(1)
			case errors.Is(err, errRefused):
				refused.Add(1)
			default:
				t.Errorf("limited: %v", err)
			}
		})
		k.publish(t.Context(), &envelope{key: open, body: []byte("x")}, true, func(err error) {
			defer wg.Done()
			if err != nil {
				t.Errorf("open: %v", err)
			}
		})
	}
	wg.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
	eventually(t, "queue holds what was taken", func() bool {
		n, err := k.count(t.Context(), limited)
		return err == nil && int64(n) == taken.Load()
	})
}

func TestAMQP_ConnectionLost(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url)
	queue := k.queue(nil)
	deliveries, _ := k.subscribe(queue, 4)
	oldKey, _, _ := k.replyTo()
	if err := k.send(queue, "one"); err != nil {
		t.Fatal(err)
	}
	receive(t, "delivery", deliveries).ack()
	k.deleteQueue(queue)

	p.refuse(true)
	cutAt := time.Now()
	p.Cut()
	if n := receive(t, "lost", k.lost); n != 1 {
		t.Errorf("lost(%d), want 1", n)
	}
	if took := time.Since(cutAt); took > 500*time.Millisecond {
		t.Errorf("noticed after %v", took)
	}
	if _, _, ok := k.replyTo(); ok || !errors.Is(k.ready(), errNotConnected) {
		t.Errorf("ready = %v without a connection", k.ready())
	}
	err := publishAndWait(t.Context(), k, &envelope{key: queue}, false)
	if pe, ok := errors.AsType[*publishError](err); !ok || pe.sent || !errors.Is(err, errNotConnected) {
		t.Errorf("publish without waiting = %v, want not connected, not sent", err)
	}
	waiting := make(chan error, 1)
	k.publish2(queue, "two", waiting)
	p.refuse(false)

	if err := receive(t, "outcome", waiting); err != nil {
		t.Errorf("publish that waits = %v", err)
	}
	d := receive(t, "delivery in the second epoch, of the queue declared again", deliveries)
	if string(d.body) != "two" {
		t.Errorf("body %q", d.body)
	}
	d.ack()
	if key, epoch, ok := k.replyTo(); !ok || epoch != 2 || key == oldKey {
		t.Errorf("replyTo = %q, %d, %v, want another in epoch 2", key, epoch, ok)
	}
	if got := strings.Count(k.log.String(), "broker connection lost"); got != 1 {
		t.Errorf("loss logged %d times", got)
	}
	if got := strings.Count(k.log.String(), "broker connected"); got != 2 {
		t.Errorf("connected logged %d times", got)
	}
}

// publish2 publishes with wait in the background.
func (k *amqpKit) publish2(queue, body string, outcome chan<- error) {
	go k.publish(k.t.Context(), &envelope{key: queue, mandatory: true, body: []byte(body)}, true, func(err error) { outcome <- err })
}

// The delivery of an epoch and the first of the next have the same tag. The ack
// of the one must not settle the other.
func TestAMQP_StaleAckIsDropped(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url)
	queue := k.queue(nil)
	deliveries, _ := k.subscribe(queue, 2)
	if err := k.send(queue, "precious"); err != nil {
		t.Fatal(err)
	}
	stale := receive(t, "first delivery", deliveries)
	p.Cut()
	receive(t, "lost", k.lost)
	again := receive(t, "second delivery", deliveries)
	if !again.redelivered || again.count == 0 {
		t.Errorf("redelivered %v, count %d", again.redelivered, again.count)
	}
	stale.ack()
	stale.nack()
	p.Cut() // the broker takes back what is not acked
	receive(t, "lost", k.lost)
	third := receive(t, "third delivery: the stale ack removed it", deliveries)
	again.nack()
	third.ack()
	if err := k.send(queue, "next"); err != nil {
		t.Fatal(err)
	}
	if d := receive(t, "next", deliveries); string(d.body) != "next" {
		t.Errorf("body %q, want next", d.body)
	}
}

func TestAMQP_Blocked(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url)
	queue := k.queue(nil)
	p.Block()
	eventually(t, "blocked", func() bool { return errors.Is(k.ready(), errBlocked) })

	if err := publishAndWait(t.Context(), k, &envelope{key: queue}, false); !errors.Is(err, errBlocked) {
		t.Errorf("publish without waiting = %v, want blocked", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := publishAndWait(ctx, k, &envelope{key: queue}, true)
	if !errors.Is(err, errBlocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publish that waits = %v, want blocked and its deadline", err)
	}
	outcome := make(chan error, 1)
	k.publish2(queue, "later", outcome)
	p.Unblock()
	if err := receive(t, "outcome", outcome); err != nil {
		t.Errorf("publish that waited = %v", err)
	}
	if err := k.ready(); err != nil {
		t.Errorf("ready = %v", err)
	}
}

// What is queued when the broker blocks is told at once, or kept until its
// context ends or the broker unblocks, as its caller chose.
func TestAMQP_BlockedWhileQueued(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url, func(l *amqpLimits) { l.window = 1 })
	queue := k.queue(nil)
	p.hold() // the first publish gets no confirm, so the others stay queued
	first, fails, ends, kept := make(chan error, 1), make(chan error, 1), make(chan error, 1), make(chan error, 1)
	put := func(ctx context.Context, wait bool, to chan error) {
		k.publish(ctx, &envelope{key: queue, mandatory: true, body: []byte("x")}, wait, func(err error) { to <- err })
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	put(t.Context(), false, first)
	put(t.Context(), false, fails)
	put(ctx, true, ends)
	put(t.Context(), true, kept)
	p.Block()

	if err := receive(t, "outcome of the one that does not wait", fails); !errors.Is(err, errBlocked) {
		t.Errorf("does not wait: %v, want blocked", err)
	}
	cancel()
	if err := receive(t, "outcome of the one that is cancelled", ends); !errors.Is(err, errBlocked) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want blocked and cancelled", err)
	}
	p.resume()
	p.Unblock()
	if err := receive(t, "outcome of the written one", first); err != nil {
		t.Errorf("written: %v", err)
	}
	if err := receive(t, "outcome of the one that waits", kept); err != nil {
		t.Errorf("waits: %v", err)
	}
}

// A socket that takes nothing ends the epoch after the limit of one write, and
// each publish is told whether it may have been sent.
func TestAMQP_StalledSocket(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url, func(l *amqpLimits) { l.write, l.window = 100*time.Millisecond, 2 })
	queue := k.queue(nil)
	p.hold()
	body := bytes.Repeat([]byte("x"), 16<<20)
	var outcomes [4]chan error
	for i := range outcomes {
		outcomes[i] = make(chan error, 1)
		k.publish(t.Context(), &envelope{key: queue, body: body}, false, func(err error) { outcomes[i] <- err })
	}
	receive(t, "lost", k.lost)
	for i, sent := range []bool{true, false, false, false} {
		err := receive(t, "outcome", outcomes[i])
		if pe, ok := errors.AsType[*publishError](err); !ok || pe.sent != sent {
			t.Errorf("outcome %d = %v, want sent=%v", i, err, sent)
		}
	}
	p.resume()
	eventually(t, "ready again", func() bool { return k.ready() == nil })
}

// A broker that takes what is written and never answers ends the epoch, and what
// was written may have been stored. A broker that said that it is blocked has all
// the time it wants.
func TestAMQP_SilentBroker(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url, func(l *amqpLimits) { l.confirm, l.answer = 20*time.Millisecond, 200*time.Millisecond })
	queue := k.queue(nil)
	outcome := make(chan error, 1)

	p.hold()
	p.Block()
	eventually(t, "blocked", func() bool { return errors.Is(k.ready(), errBlocked) })
	k.publish2(queue, "later", outcome)
	select {
	case n := <-k.lost:
		t.Fatalf("epoch %d ended while the broker was blocked", n)
	case <-time.After(time.Second):
	}
	p.resume()
	p.Unblock()
	if err := receive(t, "outcome of the one that waited", outcome); err != nil {
		t.Errorf("waited: %v", err)
	}

	p.hold()
	k.publish2(queue, "unheard", outcome)
	receive(t, "lost", k.lost)
	err := receive(t, "outcome of the one that was not heard", outcome)
	if pe, ok := errors.AsType[*publishError](err); !ok || !pe.sent || !errors.Is(err, errSilent) {
		t.Errorf("unheard: %v, want silent, and that it may have been sent", err)
	}
	p.resume()
	eventually(t, "ready again", func() bool { return k.ready() == nil })
}

func TestAMQP_QueueFull(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url, func(l *amqpLimits) { l.queue, l.window = 2, 1 })
	queue := k.queue(nil)
	p.hold()
	var settled sync.WaitGroup
	var full, ok atomic.Int64
	for range 20 {
		settled.Add(1)
		k.publish(t.Context(), &envelope{key: queue}, false, func(err error) {
			defer settled.Done()
			switch {
			case err == nil:
				ok.Add(1)
			case errors.Is(err, errFull):
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := publishAndWait(ctx, k, &envelope{key: queue}, true); !errors.Is(err, errFull) {
		t.Errorf("publish that waits = %v, want full", err)
	}
	p.resume()
	settled.Wait()
	if full.Load() < 16 || full.Load()+ok.Load() != 20 {
		t.Errorf("%d full, %d taken", full.Load(), ok.Load())
	}
}

func TestAMQP_Mismatch(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	k := connect(t, url)
	queue := k.queue(nil)
	deliveries, _ := k.subscribe(queue, 1)
	other := startAMQP(t, url)
	err := other.declare(t.Context(), Topology{Queues: []Queue{{Name: queue, Args: map[string]any{"x-queue-type": "quorum"}}}})
	if !errors.Is(err, errMismatch) || !strings.Contains(err.Error(), queue) {
		t.Errorf("declare = %v, want a mismatch that names the queue", err)
	}
	if err := other.send(queue, "still here"); err != nil {
		t.Error(err)
	}
	receive(t, "delivery", deliveries).ack()
	if _, epoch, _ := other.replyTo(); epoch != 1 {
		t.Errorf("epoch %d: the mismatch cost the connection", epoch)
	}
}

func TestAMQP_DeclareWaits(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	p.refuse(true)
	k := startAMQP(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := k.declare(ctx, Topology{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("declare = %v, want its deadline", err)
	}
	done := make(chan error, 1)
	name := t.Name() + newReplyKey()
	go func() { done <- k.declare(t.Context(), Topology{Queues: []Queue{{Name: name}}}) }()
	p.refuse(false)
	if err := receive(t, "declare", done); err != nil {
		t.Error(err)
	}
	if got := strings.Count(k.log.String(), "broker not reachable"); got != 1 {
		t.Errorf("outage logged %d times", got)
	}
}

func TestAMQP_QueueDeletedUnderConsumer(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	deliveries, _ := k.subscribe(queue, 4)
	k.deleteQueue(queue)
	eventually(t, "declared again", func() bool { return k.send(queue, "x") == nil })
	receive(t, "delivery", deliveries).ack()
	if _, epoch, _ := k.replyTo(); epoch != 1 {
		t.Errorf("epoch %d: the deleted queue cost the connection", epoch)
	}
}

func TestAMQP_ReplyQueueDeleted(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	// Only its own connection may delete an exclusive queue.
	queue, _, _ := k.replyTo()
	ch, err := k.state.Load().epoch.c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = ch.QueueDelete(queue, false, false, false) // the connection may be cut before the answer
	receive(t, "lost", k.lost)
	eventually(t, "a new reply queue", func() bool { now, _, ok := k.replyTo(); return ok && now != queue })
}

func TestAMQP_StopLeavesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	deliveries, stop := k.subscribe(queue, 2)
	for _, body := range []string{"a", "b", "c"} {
		if err := k.send(queue, body); err != nil {
			t.Fatal(err)
		}
	}
	a, b := receive(t, "delivery", deliveries), receive(t, "delivery", deliveries)
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(deliveries) != 0 {
		t.Error("more than prefetch unsettled deliveries")
	}
	a.ack()
	b.nack()
	eventually(t, "two messages left", func() bool { n, err := k.count(t.Context(), queue); return err == nil && n == 2 })
	if len(deliveries) != 0 {
		t.Error("a delivery came after stop")
	}
	if err := stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestAMQP_ConsumeUnknownQueue(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	if _, err := k.consume("no-such-queue", 1, 0, func(*delivery) {}); err == nil {
		t.Error("consume from a queue that does not exist succeeded")
	}
	if err := k.ready(); err != nil {
		t.Errorf("ready = %v", err)
	}
}

func TestAMQP_Get(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	if _, ok, err := k.get(t.Context(), queue); ok || err != nil {
		t.Errorf("get from the empty queue = %v, %v", ok, err)
	}
	if err := k.send(queue, "x"); err != nil {
		t.Fatal(err)
	}
	first, ok, err := k.get(t.Context(), queue)
	if err != nil || !ok || string(first.body) != "x" {
		t.Fatalf("get = %v, %v", ok, err)
	}
	if _, ok, err := k.get(t.Context(), queue); ok || err != nil {
		t.Errorf("get of a hidden one = %v, %v", ok, err)
	}
	first.nack()
	eventually(t, "back in the queue", func() bool { n, err := k.count(t.Context(), queue); return err == nil && n == 1 })
	second, ok, err := k.get(t.Context(), queue)
	if err != nil || !ok || !second.redelivered {
		t.Fatalf("get = %v, %v", ok, err)
	}
	second.ack()
	if _, _, err := k.get(t.Context(), "no-such-queue"); !errors.Is(err, errNoQueue) {
		t.Errorf("get = %v, want no queue", err)
	}
	if _, err := k.count(t.Context(), "no-such-queue"); !errors.Is(err, errNoQueue) {
		t.Errorf("count = %v, want no queue", err)
	}
}

// What an operator looks at stays in his hands, more of it than there are
// channels.
func TestAMQP_GetsMoreThanThereAreChannels(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t)+"?channel_max=8")
	queue := k.queue(map[string]any{"x-queue-type": "quorum"})
	var held []*delivery
	for range 20 {
		if err := k.send(queue, "x"); err != nil {
			t.Fatal(err)
		}
		d, ok, err := k.get(t.Context(), queue)
		if err != nil || !ok {
			t.Fatalf("get = %v, %v", ok, err)
		}
		held = append(held, d)
	}
	for _, d := range held {
		d.nack()
	}
	for range held {
		d, ok, err := k.get(t.Context(), queue)
		if err != nil || !ok {
			t.Fatalf("get of what was given back = %v, %v", ok, err)
		}
		d.ack()
	}
	if _, ok, err := k.get(t.Context(), queue); ok || err != nil {
		t.Errorf("get = %v, %v, want nothing", ok, err)
	}
}

func TestAMQP_CloseFlushes(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	var confirmed atomic.Int64
	for range 1000 {
		k.publish(t.Context(), &envelope{key: queue, body: []byte("x")}, true, func(err error) {
			if err == nil {
				confirmed.Add(1)
			}
		})
	}
	if err := k.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if confirmed.Load() != 1000 {
		t.Errorf("%d of 1000 confirmed before close returned", confirmed.Load())
	}
	if err := publishAndWait(t.Context(), k, &envelope{key: queue}, true); !errors.Is(err, errNotConnected) {
		t.Errorf("publish after close = %v, want not connected", err)
	}
	if err := k.close(t.Context()); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// The context is a hard limit, whatever the broker does.
func TestAMQP_CloseIsBounded(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*proxy){
		"stalled": (*proxy).hold,
		"blocked": (*proxy).Block,
		"both":    func(p *proxy) { p.hold(); p.Block() },
		"gone":    func(p *proxy) { p.refuse(true); p.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, url := newProxy(t, testenv.AMQP(t))
			k := connect(t, url)
			queue := k.queue(nil)
			disturb(p)
			outcome := make(chan error, 1)
			k.publish(t.Context(), &envelope{key: queue}, false, func(err error) { outcome <- err })
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			_ = k.close(ctx) // its error depends on how far the publish came
			if took := time.Since(began); took > time.Second {
				t.Errorf("close took %v", took)
			}
			_ = receive(t, "outcome", outcome) // that there is one
		})
	}
}

// Under load and cuts, each publish has one outcome, and what was reported as
// stored is stored.
func TestAMQP_ConfirmsUnderCuts(t *testing.T) {
	t.Parallel()
	p, url := newProxy(t, testenv.AMQP(t))
	k := connect(t, url)
	queue := k.queue(nil)
	const callers, each = 64, 100
	var outcomes atomic.Int64
	stored := make(chan string, callers*each)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf("%d-%d", c, i)
				if k.send(queue, body) == nil {
					stored <- body
				}
				outcomes.Add(1)
			}
		})
	}
	for _, at := range []int64{500, 2000, 4000} {
		eventually(t, "progress", func() bool { return outcomes.Load() >= at })
		p.Cut()
	}
	wg.Wait()
	close(stored)
	if outcomes.Load() != callers*each {
		t.Errorf("%d outcomes of %d", outcomes.Load(), callers*each)
	}
	missing := make(map[string]bool)
	for body := range stored {
		missing[body] = true
	}
	deliveries, _ := k.subscribe(queue, 100)
	for len(missing) > 0 {
		d := receive(t, fmt.Sprintf("delivery, %d are missing", len(missing)), deliveries)
		delete(missing, string(d.body))
		d.ack()
	}
}

// A broker that is down is asked again soon, however long it is down; one that
// turns us away is left in peace.
func TestAMQP_AsksAgainSoonWhileThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	tr, err := newAMQPTransport("amqp://127.0.0.1:1/", Options{}.withDefaults(), defaultAMQPLimits())
	if err != nil {
		t.Fatal(err)
	}
	out := outage{t: tr}
	longest := func(why error) (longest time.Duration) {
		for range 200 {
			out.lasts(t.Context(), fmt.Errorf("connect P: %w", why))
			longest = max(longest, tr.limits.delay(out.level))
		}
		return longest
	}
	for _, why := range []error{errors.New("connection refused"), &amqp.Error{Code: amqp.FrameError, Reason: "EOF"}, amqp.ErrClosed} {
		if got := longest(why); got > 400*time.Millisecond {
			t.Errorf("%v after %v", got, why)
		}
	}
	if got := longest(amqp.ErrCredentials); got < 4*time.Second || got > 5*time.Second {
		t.Errorf("%v at the longest after %v, want near 5s", got, amqp.ErrCredentials)
	}
}

func TestAMQP_KeepsThePasswordToItself(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"amqp://u:s3cret@127.0.0.1:1/v", "amqp://u:s3cret/x@host/", "amqp://u:s3cret@host:port/"} {
		k := &syncBuffer{}
		tr, err := newAMQPTransport(url, Options{Service: "kit", Log: slog.New(slog.NewTextHandler(k, nil))}, defaultAMQPLimits())
		if err != nil {
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error tells the password: %v", err)
			}
			continue
		}
		tr.start(func(*envelope) {}, func(uint64) {})
		eventually(t, "a log entry", func() bool { return k.String() != "" })
		if err := tr.close(t.Context()); err != nil {
			t.Error(err)
		}
		if log := k.String() + tr.ready().Error(); strings.Contains(log, "s3cret") {
			t.Errorf("the log tells the password: %s", log)
		}
	}
}

func TestAMQP_RefusesWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	for name, e := range map[string]*envelope{
		"long key":     {key: strings.Repeat("k", 256)},
		"header type":  {key: "q", headers: map[string]any{"x": struct{}{}}},
		"long header":  {key: "q", headers: map[string]any{strings.Repeat("h", 256): "x"}},
		"long replyTo": {key: "q", replyTo: strings.Repeat("r", 256)},
	} {
		err := publishAndWait(t.Context(), k, e, true)
		if pe, ok := errors.AsType[*publishError](err); !ok || pe.sent {
			t.Errorf("%s: %v, want not sent", name, err)
		}
	}
	if _, epoch, ok := k.replyTo(); !ok || epoch != 1 {
		t.Errorf("epoch %d, %v: an envelope cost the connection", epoch, ok)
	}
}
