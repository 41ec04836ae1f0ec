package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// settlement is what a delivery still owes the broker. It belongs to the channel
// of its epoch, so it can never settle a delivery of a later one.
type settlement struct {
	ep    *amqpEpoch
	ch    *amqp.Channel
	tag   uint64
	slots <-chan struct{} // of the consumer
	done  atomic.Bool
}

func (s *settlement) delivery(queue string, d *amqp.Delivery) *delivery {
	return &delivery{
		envelope:    fromAMQP(d),
		queue:       queue,
		redelivered: d.Redelivered,
		count:       deliveryCount(d),
		ack:         s.ack,
		nack:        s.nack,
	}
}

func (s *settlement) ack() {
	if s.begin() {
		s.told(s.ch.Ack(s.tag, false))
	}
}

func (s *settlement) nack() {
	if s.begin() {
		s.told(s.ch.Nack(s.tag, false, true))
	}
}

// begin returns whether there is anybody to tell.
func (s *settlement) begin() bool {
	if s.done.Swap(true) {
		return false
	}
	over := s.ep.over()
	<-s.slots
	return !over
}

func (s *settlement) told(err error) {
	if err != nil {
		s.ep.fail(fmt.Errorf("settle: %w", err))
	}
}

// taken is the answer to a basic.get, on a channel of its own.
type taken struct {
	ch  *amqp.Channel
	d   amqp.Delivery
	ok  bool
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
		if got.err != nil || !got.ok {
			return nil, false, got.err
		}
		return got.delivery(ep, queue), true, nil
	case <-ctx.Done():
		ep.spawn(func() { (<-answer).giveBack() })
		return nil, false, fmt.Errorf("get from %s: %w", queue, ctx.Err())
	}
}

func (ep *amqpEpoch) take(queue string) taken {
	ch, err := ep.c.Channel()
	if err != nil {
		return taken{err: err}
	}
	d, ok, err := ch.Get(queue, false)
	if err != nil || !ok {
		_ = ch.Close() // it is of no further use
		return taken{err: noQueue(queue, err)}
	}
	return taken{ch: ch, d: d, ok: ok}
}

// giveBack closes the channel, and the broker has the envelope again.
func (got taken) giveBack() {
	if got.ch != nil {
		_ = got.ch.Close() // fails when the connection is closed, which is the same
	}
}

// delivery waits with its settlement until the broker has taken note of it, so
// that what was given back is there for the next get.
func (got taken) delivery(ep *amqpEpoch, queue string) *delivery {
	slots := make(chan struct{}, 1)
	slots <- struct{}{}
	s := &settlement{ep: ep, ch: got.ch, tag: got.d.DeliveryTag, slots: slots}
	d := s.delivery(queue, &got.d)
	d.ack = func() { s.ack(); got.giveBack() }
	d.nack = func() { s.nack(); got.giveBack() }
	return d
}

// count asks for what RabbitMQ knows at once: of a quorum queue that may lag
// behind a confirm by some milliseconds, and it is 0 when the queue's leader
// takes longer than 250 ms to say.
func (t *amqpTransport) count(ctx context.Context, queue string) (int, error) {
	ep, err := t.connected(ctx)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", queue, err)
	}
	answer := make(chan int, 1)
	err = ep.do(ctx, func() error {
		n, err := ep.messages(queue)
		answer <- n
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", queue, err)
	}
	return <-answer, nil
}

func (ep *amqpEpoch) messages(queue string) (int, error) {
	ch, err := ep.c.Channel()
	if err != nil {
		return 0, err
	}
	defer func() { _ = ch.Close() }() // it has done its work, or is closed
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	return q.Messages, noQueue(queue, err)
}

func noQueue(queue string, err error) error {
	if e, ok := errors.AsType[*amqp.Error](err); ok && e.Code == amqp.NotFound {
		return fmt.Errorf("%w: %s: %w", errNoQueue, queue, err)
	}
	return err
}
