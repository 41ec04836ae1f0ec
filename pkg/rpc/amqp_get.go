package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// amqpGetter takes single envelopes, all through one channel: an operator may
// hold thousands at a time, and a connection has 2047 channels.
type amqpGetter struct {
	mu    sync.Mutex
	ch    *amqp.Channel
	known map[string]bool // queues that exist; another costs the channel
}

// taken is the answer to a basic.get.
type taken struct {
	d   *delivery
	err error
}

func (t *amqpTransport) get(ctx context.Context, queue string) (*delivery, bool, error) {
	ep, err := t.connected(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("get from %s: %w", queue, err)
	}
	answer := make(chan taken, 1)
	if !ep.spawn(func() { answer <- ep.take(queue) }) {
		return nil, false, fmt.Errorf("get from %s: %w", queue, ep.cause())
	}
	select {
	case got := <-answer:
		return got.d, got.d != nil, got.err
	case <-ctx.Done():
		ep.spawn(func() {
			if late := <-answer; late.d != nil {
				late.d.nack()
			}
		})
		return nil, false, fmt.Errorf("get from %s: %w", queue, ctx.Err())
	}
}

func (ep *amqpEpoch) take(queue string) taken {
	g := &ep.getter
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := ep.prepareGet(queue); err != nil {
		return taken{err: fmt.Errorf("get from %s: %w", queue, err)}
	}
	d, ok, err := g.ch.Get(queue, false)
	if err != nil {
		g.ch = nil
		return taken{err: noQueue(queue, err)}
	}
	if !ok {
		return taken{}
	}
	return taken{d: ep.got(queue, &d)}
}

// prepareGet opens the channel and looks whether queue exists. The caller holds
// the getter's mutex.
func (ep *amqpEpoch) prepareGet(queue string) (err error) {
	g := &ep.getter
	if g.ch == nil {
		if g.ch, err = ep.c.Channel(); err != nil {
			return err
		}
		g.known = make(map[string]bool)
	}
	if g.known[queue] {
		return nil
	}
	if _, err = ep.inspect(queue); err == nil {
		g.known[queue] = true
	}
	return err
}

// got waits with each settlement until the broker has taken note of it, so that
// what was given back is there for the next get.
func (ep *amqpEpoch) got(queue string, d *amqp.Delivery) *delivery {
	slot := make(chan struct{}, 1)
	slot <- struct{}{}
	s := newSettlement(ep, newAMQPAcks(ep.getter.ch, ep.unsettled, 0, 0), slot, queue, d)
	s.settler = awaitedSettler{s, ep.getter.ch}
	return &s.delivery
}

type awaitedSettler struct {
	s  *settlement
	ch *amqp.Channel
}

func (a awaitedSettler) ack()  { a.s.ack(); a.s.ep.awaitGetter(a.ch) }
func (a awaitedSettler) nack() { a.s.nack(); a.s.ep.awaitGetter(a.ch) }

// awaitGetter waits for an answer to a question that changes nothing: the
// broker does what ch asks for one after the other.
func (ep *amqpEpoch) awaitGetter(ch *amqp.Channel) {
	ep.getter.mu.Lock()
	defer ep.getter.mu.Unlock()
	_ = ch.Qos(0, 0, false) // fails when the channel is closed, and all is given back
}

// count asks for what RabbitMQ knows at once: of a quorum queue that may lag
// behind a confirm by some milliseconds, and it is 0 when the queue's leader
// takes longer than 250 ms to say.
func (t *amqpTransport) count(ctx context.Context, queue string) (int, error) {
	ep, err := t.connected(ctx)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", queue, err)
	}
	q, err := ep.look(ctx, queue)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", queue, err)
	}
	return q.Messages, nil
}

func (t *amqpTransport) attendance(ctx context.Context, queue string) (int, error) {
	ep := t.state.Load().epoch
	if ep == nil {
		return 0, fmt.Errorf("look who takes from %s: %w", queue, errNotConnected)
	}
	q, err := ep.look(ctx, queue)
	if err != nil {
		return 0, fmt.Errorf("look who takes from %s: %w", queue, err)
	}
	return q.Consumers, nil
}

// look is inspect that waits no longer than ctx.
func (ep *amqpEpoch) look(ctx context.Context, queue string) (amqp.Queue, error) {
	answer := make(chan amqp.Queue, 1)
	err := ep.do(ctx, func() error {
		q, err := ep.inspect(queue)
		answer <- q
		return err
	})
	if err != nil {
		return amqp.Queue{}, err
	}
	return <-answer, nil
}

func (ep *amqpEpoch) inspect(queue string) (amqp.Queue, error) {
	ch, err := ep.c.Channel()
	if err != nil {
		return amqp.Queue{}, err
	}
	defer func() { _ = ch.Close() }() // it has done its work, or is closed
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	return q, noQueue(queue, err)
}

func noQueue(queue string, err error) error {
	if e, ok := errors.AsType[*amqp.Error](err); ok && e.Code == amqp.NotFound {
		return fmt.Errorf("%w: %s: %w", errNoQueue, queue, err)
	}
	return err
}
