package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// amqpConsumer takes from one queue through all epochs, in each by a session
// with a channel of its own.
type amqpConsumer struct {
	t        *amqpTransport
	queue    string
	prefetch int
	ackDelay time.Duration
	fn       func(*delivery)
	slots    chan struct{}    // one for each unsettled delivery of any epoch
	idle     chan *settlement // to goroutines that wait for the next one
	stopping chan struct{}    // closed by stop
	back     sync.WaitGroup   // has what goes back to the queue by itself

	mu      sync.Mutex
	stopped bool
	session chan struct{} // closed when the session delivers no more; nil before the first
}

func (t *amqpTransport) consume(queue string, prefetch int, ackDelay time.Duration, fn func(*delivery)) (func(context.Context) error, error) {
	c := &amqpConsumer{
		t: t, queue: queue, prefetch: prefetch, ackDelay: ackDelay, fn: fn,
		slots: make(chan struct{}, prefetch), stopping: make(chan struct{}), idle: make(chan *settlement),
	}
	t.mu.Lock()
	t.consumers = append(t.consumers, c)
	ep := t.epoch
	t.mu.Unlock()
	if ep == nil {
		return c.stop, nil // the next epoch subscribes it
	}
	err := ep.do(context.Background(), func() error { return c.subscribe(ep) })
	if refused, ok := errors.AsType[*amqp.Error](err); ok && refused.Server && !ep.over() {
		t.forget(c)
		return nil, err
	}
	if err != nil {
		ep.fail(err)
	}
	return c.stop, nil
}

func (t *amqpTransport) forget(c *amqpConsumer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.consumers = slices.DeleteFunc(t.consumers, func(other *amqpConsumer) bool { return other == c })
}

func (c *amqpConsumer) stop(ctx context.Context) error {
	c.t.forget(c)
	c.mu.Lock()
	if !c.stopped {
		c.stopped = true
		close(c.stopping)
	}
	session := c.session
	c.mu.Unlock()
	if session == nil {
		return nil
	}
	select {
	case <-session:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop consuming from %s: %w", c.queue, ctx.Err())
	}
}

// begin returns the mark of a new session, or nil when the consumer is stopped.
func (c *amqpConsumer) begin() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.session = make(chan struct{})
	return c.session
}

// subscribe begins the session of ep. The queue's name is the consumer tag,
// which has to be unique in its channel alone.
func (c *amqpConsumer) subscribe(ep *amqpEpoch) error {
	session := c.begin()
	if session == nil {
		return nil
	}
	ch, deliveries, err := c.openChannel(ep)
	if err != nil {
		close(session)
		return fmt.Errorf("consume from %s: %w", c.queue, err)
	}
	ep.watch("consumer of "+c.queue, ch)
	if !ep.spawn(func() { c.run(ep, ch, deliveries, session) }) {
		close(session)
	}
	return nil
}

// acksTogether is how many acks are told together; 0 when none waits for others. The
// broker hands out so many more: for it, what is done is at work until it has the ack.
func (c *amqpConsumer) acksTogether() int {
	if c.ackDelay == 0 {
		return 0
	}
	return c.prefetch / 2
}

func (c *amqpConsumer) openChannel(ep *amqpEpoch) (*amqp.Channel, <-chan amqp.Delivery, error) {
	ch, err := ep.c.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := ch.Qos(c.prefetch+c.acksTogether(), 0, false); err != nil {
		return nil, nil, err
	}
	deliveries, err := ch.Consume(c.queue, c.queue, false, false, false, false, nil)
	return ch, deliveries, err
}

// run hands out deliveries until the consumer is stopped or the channel closes.
func (c *amqpConsumer) run(ep *amqpEpoch, ch *amqp.Channel, deliveries <-chan amqp.Delivery, session chan struct{}) {
	acks := newAMQPAcks(ch, ep.unsettled, c.ackDelay, c.acksTogether())
	if c.deliver(ep, ch, acks, deliveries) {
		close(session)
		c.release(ep, ch)
		return
	}
	close(session)
}

// deliver returns true when the consumer is stopped and the broker has agreed,
// false when the channel is closed.
func (c *amqpConsumer) deliver(ep *amqpEpoch, ch *amqp.Channel, acks *amqpAcks, deliveries <-chan amqp.Delivery) bool {
	for {
		select {
		case d, ok := <-deliveries:
			if ok {
				c.hand(ep, acks, &d)
				continue
			}
			if ch.IsClosed() {
				return false
			}
			var err error
			if deliveries, err = c.resubscribe(ep, ch); err != nil {
				ep.fail(err)
				return false
			}
		case <-c.stopping:
			acks.hurry()
			err := ch.Cancel(c.queue, false)
			for d := range deliveries {
				c.hand(ep, acks, &d)
			}
			return err == nil
		}
	}
}

// resubscribe follows a cancel from the broker: the queue was deleted, or its
// node has left. When declaring it again does not help, the epoch is over, and
// the supervisor tries again in its own time.
func (c *amqpConsumer) resubscribe(ep *amqpEpoch, ch *amqp.Channel) (<-chan amqp.Delivery, error) {
	c.t.log.Warn("broker cancelled a consumer", "queue", c.queue)
	if err := declareOn(ep.c, c.t.declared()); err != nil {
		return nil, fmt.Errorf("consume from %s again: %w", c.queue, err)
	}
	deliveries, err := ch.Consume(c.queue, c.queue, false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume from %s again: %w", c.queue, err)
	}
	return deliveries, nil
}

// release closes the channel of a stopped consumer when nothing waits for its
// settlement any more, which is when all slots can be had and nothing is on its way
// back.
func (c *amqpConsumer) release(ep *amqpEpoch, ch *amqp.Channel) {
	for range c.prefetch {
		select {
		case c.slots <- struct{}{}:
		case <-ep.done:
			return
		}
	}
	c.back.Wait()
	_ = ch.Close() // fails when the connection is closed, which is the same
}

// hand hands d out, or what is packed in it. A pack that comes again may have had what
// kills its worker, and parts that were done: its parts go back, to be handed out each
// by itself.
func (c *amqpConsumer) hand(ep *amqpEpoch, acks *amqpAcks, d *amqp.Delivery) {
	s := newSettlement(ep, acks, c.slots, c.queue, d)
	parts := s.parts(&c.back)
	switch {
	case parts == nil:
		c.handOne(s, nil)
	case s.redelivered:
		for _, part := range parts {
			part.refuse()
		}
	default:
		c.handParts(parts)
	}
}

// packPatience is how long the parts of a pack wait for slots. It is past what many
// parts with quick handlers take, and far below the broker's timeout for acks.
const packPatience = time.Second

// handParts hands out the parts of a pack. When handlers are slow, those that wait go
// back to the queue: other workers may be idle, and the broker waits for the ack of the
// pack no longer than for that of one message.
func (c *amqpConsumer) handParts(parts []*settlement) {
	late := make(chan struct{})
	patience := time.AfterFunc(packPatience, func() { close(late) })
	defer patience.Stop()
	for _, part := range parts {
		c.handOne(part, late)
	}
}

// handOne gives s to fn, which [Conn] owns and waits for, once a slot is free. That may
// take while deliveries of an older epoch are at work, when the broker has handed out
// more than there are slots although no acks wait, and when much came in packs. What
// cannot wait for a slot, or not longer than until late, goes back to the queue.
func (c *amqpConsumer) handOne(s *settlement, late <-chan struct{}) {
	select {
	case c.slots <- struct{}{}:
	default:
		select {
		case c.slots <- struct{}{}:
		case <-late:
			s.refuse()
			return
		case <-c.stopping:
			s.refuse()
			return
		case <-s.ep.done:
			return
		}
	}
	select {
	case c.idle <- s:
	default:
		go c.handle(s)
	}
}

// handle handles s, and then what comes while it waits, as long as its consumer and its
// epoch last: a goroutine for each delivery would grow its stack anew, copying it three
// times on the way to a database.
func (c *amqpConsumer) handle(s *settlement) {
	for {
		c.fn(&s.delivery)
		select {
		case s = <-c.idle:
		case <-c.stopping:
			return
		case <-s.ep.done:
			return
		}
	}
}
