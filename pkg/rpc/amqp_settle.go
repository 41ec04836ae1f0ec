package rpc

import (
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

// told ends the epoch when the broker could not be told. A channel that is
// closed has given everything back already.
func (s *settlement) told(err error) {
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		s.ep.fail(fmt.Errorf("settle: %w", err))
	}
}
