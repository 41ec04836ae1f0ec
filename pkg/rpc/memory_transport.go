package rpc

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"
)

// memoryTransport is one connection to a [MemoryBroker]. The broker's lock
// guards all of it.
type memoryTransport struct {
	b         *MemoryBroker
	service   string
	closed    bool
	connected bool
	epoch     uint64
	reply     string
	receive   func(*envelope)
	lost      func(uint64)
	consumers []*memoryConsumer
	// held is what this connection was handed and has not settled.
	held map[*memoryHold]struct{}
}

func newMemoryTransport(b *MemoryBroker, service string) *memoryTransport {
	return &memoryTransport{b: b, service: service, held: make(map[*memoryHold]struct{})}
}

// memoryConsumer is one consumption of a queue.
type memoryConsumer struct {
	t         *memoryTransport
	queue     string
	prefetch  int
	unsettled int
	fn        func(*delivery)
}

// memoryHold is a message between its delivery and its settlement.
type memoryHold struct {
	t        *memoryTransport
	q        *memoryQueue
	m        *memoryMessage
	consumer *memoryConsumer // nil for get
	once     sync.Once       // settles
}

func (t *memoryTransport) start(receive func(*envelope), lost func(uint64)) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	t.receive, t.lost = receive, lost
	t.b.conns[t] = struct{}{}
	if !t.b.down {
		t.connect()
	}
}

// connect begins an epoch. The broker's lock is held.
func (t *memoryTransport) connect() {
	t.connected = true
	t.epoch++
	t.reply = replyQueue(t.service, rand.Text())
	q := newMemoryQueue(t.b, Queue{Name: t.reply})
	q.sink = t.receive
	t.b.queues[q.name] = q
	x := Exchange{Name: exchangeRPC, Kind: "topic"}
	_ = t.b.declareExchange(x) // a topic exchange always can be
	t.b.exchanges[exchangeRPC].bind(t.reply, q)
	for _, c := range t.consumers {
		c.attach()
	}
}

// disconnect ends the epoch and returns what is to be called without the lock,
// which is held here.
func (t *memoryTransport) disconnect() (tell func()) {
	if !t.connected {
		return func() {}
	}
	t.connected = false
	t.b.exchanges[exchangeRPC].unbind(t.reply, t.b.queues[t.reply])
	delete(t.b.queues, t.reply)
	t.detach()
	queues := make(map[*memoryQueue]struct{})
	for h := range t.held {
		queues[h.q] = struct{}{}
		h.release()
		h.q.giveBack(h.m)
	}
	for q := range queues {
		q.dispatch()
	}
	epoch := t.epoch
	return func() { t.lost(epoch) }
}

func (t *memoryTransport) detach() {
	for _, c := range t.consumers {
		c.detach()
	}
}

func (t *memoryTransport) declare(ctx context.Context, topology Topology) error {
	if err := t.acquire(ctx, true, t.offline); err != nil {
		return err
	}
	defer t.b.mu.Unlock()
	return t.b.declare(topology)
}

func (t *memoryTransport) publish(ctx context.Context, e *envelope, wait bool, done func(error)) {
	if err := t.acquire(ctx, wait, t.unwilling); err != nil {
		done(&publishError{err: err})
		return
	}
	routed := t.b.route(e)
	unconfirmed := routed && t.b.faults.confirms.take()
	t.b.mu.Unlock()
	switch {
	case unconfirmed:
		done(&publishError{sent: true, err: errNotConnected})
	case !routed && e.mandatory:
		done(errUnroutable)
	default:
		done(nil)
	}
}

// acquire takes the broker's lock when obstacle finds none, and waits for that
// if told so. It returns without the lock when it fails.
func (t *memoryTransport) acquire(ctx context.Context, wait bool, obstacle func() error) error {
	for {
		t.b.mu.Lock()
		err := obstacle()
		if err == nil {
			return nil
		}
		changed, closed := t.b.changed, t.closed
		t.b.mu.Unlock()
		if !wait || closed {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

func (t *memoryTransport) offline() error {
	if !t.connected {
		return errNotConnected
	}
	return nil
}

func (t *memoryTransport) unwilling() error {
	if t.connected && t.b.blocked {
		return errBlocked
	}
	return t.offline()
}

func (t *memoryTransport) consume(queue string, prefetch int, _ time.Duration, fn func(*delivery)) (func(context.Context) error, error) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.connected && t.b.queues[queue] == nil {
		return nil, fmt.Errorf("%s: %w", queue, errNoQueue)
	}
	c := &memoryConsumer{t: t, queue: queue, prefetch: prefetch, fn: fn}
	t.consumers = append(t.consumers, c)
	if t.connected {
		c.attach()
	}
	return func(context.Context) error {
		t.b.mu.Lock()
		defer t.b.mu.Unlock()
		c.detach()
		t.consumers = without(t.consumers, func(o *memoryConsumer) bool { return o == c })
		return nil
	}, nil
}

func (c *memoryConsumer) attach() {
	if q := c.t.b.queues[c.queue]; q != nil {
		q.consumers = append(q.consumers, c)
		q.dispatch()
	}
}

func (c *memoryConsumer) detach() {
	if q := c.t.b.queues[c.queue]; q != nil {
		q.remove(c)
	}
}

func (c *memoryConsumer) deliver(m *memoryMessage) {
	q := c.t.b.queues[c.queue]
	c.unsettled++
	go c.fn(c.t.hold(q, m, c))
	if c.t.b.faults.duplicates.take() {
		d := newDelivery(q, m)
		d.redelivered = true
		d.settler = unsettled{}
		go c.fn(d)
	}
}

// hold hands m out.
func (t *memoryTransport) hold(q *memoryQueue, m *memoryMessage, c *memoryConsumer) *delivery {
	h := &memoryHold{t: t, q: q, m: m, consumer: c}
	t.held[h] = struct{}{}
	q.unsettled++
	d := newDelivery(q, m)
	d.settler = h
	return d
}

func (h *memoryHold) ack()  { h.once.Do(func() { h.settle(false) }) }
func (h *memoryHold) nack() { h.once.Do(func() { h.settle(true) }) }

// unsettled is the settler of a delivery that the broker knows nothing of.
type unsettled struct{}

func (unsettled) ack()  {}
func (unsettled) nack() {}

func newDelivery(q *memoryQueue, m *memoryMessage) *delivery {
	return &delivery{envelope: *copied(m.envelope), queue: q.name, redelivered: m.returned > 0, count: int(m.returned)}
}

// settle does nothing once the connection that the message came by is gone: it
// is back in its queue then.
func (h *memoryHold) settle(giveBack bool) {
	h.t.b.mu.Lock()
	defer h.t.b.mu.Unlock()
	if _, held := h.t.held[h]; !held || (!giveBack && h.t.b.faults.acks.take()) {
		return
	}
	h.release()
	if giveBack {
		h.q.giveBack(h.m)
	}
	h.q.dispatch()
}

func (h *memoryHold) release() {
	delete(h.t.held, h)
	h.q.unsettled--
	if h.consumer != nil {
		h.consumer.unsettled--
	}
}

func (t *memoryTransport) get(ctx context.Context, queue string) (*delivery, bool, error) {
	if err := t.acquire(ctx, true, t.offline); err != nil {
		return nil, false, err
	}
	defer t.b.mu.Unlock()
	q := t.b.queues[queue]
	if q == nil {
		return nil, false, fmt.Errorf("%s: %w", queue, errNoQueue)
	}
	q.expire()
	if len(q.ready) == 0 {
		return nil, false, nil
	}
	m := q.ready[0]
	q.ready = q.ready[1:]
	q.watch()
	return t.hold(q, m, nil), true, nil
}

func (t *memoryTransport) count(ctx context.Context, queue string) (int, error) {
	if err := t.acquire(ctx, true, t.offline); err != nil {
		return 0, err
	}
	defer t.b.mu.Unlock()
	q := t.b.queues[queue]
	if q == nil {
		return 0, fmt.Errorf("%s: %w", queue, errNoQueue)
	}
	return len(q.ready), nil
}

func (t *memoryTransport) attendance(ctx context.Context, queue string) (int, error) {
	if err := t.acquire(ctx, false, t.offline); err != nil {
		return 0, err
	}
	defer t.b.mu.Unlock()
	q := t.b.queues[queue]
	if q == nil {
		return 0, fmt.Errorf("%s: %w", queue, errNoQueue)
	}
	return len(q.consumers), nil
}

func (t *memoryTransport) replyTo() (string, uint64, bool) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	return t.reply, t.epoch, t.connected
}

func (t *memoryTransport) ready() error {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	return t.unwilling()
}

func (t *memoryTransport) close(context.Context) error {
	t.b.mu.Lock()
	t.closed = true
	delete(t.b.conns, t)
	tell := t.disconnect()
	t.consumers = nil
	t.b.wake()
	t.b.mu.Unlock()
	tell()
	return nil
}
