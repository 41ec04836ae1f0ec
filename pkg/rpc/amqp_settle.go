package rpc

import (
	"errors"
	"fmt"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// settlement is a delivery with what it still owes the broker. It belongs to the
// channel of its epoch, so it can never settle a delivery of a later one.
type settlement struct {
	delivery
	ep    *amqpEpoch
	ch    *amqp.Channel
	tag   uint64
	slots <-chan struct{} // of the consumer
	done  atomic.Bool
}

func newSettlement(ep *amqpEpoch, ch *amqp.Channel, slots <-chan struct{}, queue string, d *amqp.Delivery) *settlement {
	s := &settlement{ep: ep, ch: ch, tag: d.DeliveryTag, slots: slots}
	s.delivery = delivery{envelope: fromAMQP(d), queue: queue, redelivered: d.Redelivered, count: deliveryCount(d), settler: s}
	return s
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

// told ends the epoch when the broker could not be told. A channel that is
// closed has given everything back already.
func (s *settlement) told(err error) {
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		s.ep.fail(fmt.Errorf("settle: %w", err))
	}
}
