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
	acks  *amqpAcks
	tag   uint64
	slots <-chan struct{} // of the consumer; nil: it has none
	done  atomic.Bool
	pack  *amqpPack // that it came in; nil: it came alone
}

func newSettlement(ep *amqpEpoch, acks *amqpAcks, slots <-chan struct{}, queue string, d *amqp.Delivery) *settlement {
	s := &settlement{ep: ep, acks: acks, tag: d.DeliveryTag, slots: slots}
	s.delivery = delivery{envelope: fromAMQP(d), queue: queue, redelivered: d.Redelivered, count: deliveryCount(d), settler: s}
	return s
}

func (s *settlement) ack()  { s.settle(true) }
func (s *settlement) nack() { s.settle(false) }

// refuse gives back what was given no slot.
func (s *settlement) refuse() {
	s.slots = nil
	s.nack()
}

// settle tells the broker, unless its epoch is over. The slot is free afterwards: the
// channel is closed when all are, and all that goes back is there.
func (s *settlement) settle(done bool) {
	if s.done.Swap(true) {
		return
	}
	switch {
	case s.ep.over():
	case done && s.pack != nil:
		s.settled()
	case done:
		s.acks.ack(s.tag, s.redelivered)
	case s.pack != nil:
		s.giveBack()
	default:
		s.acks.nack(s.tag)
	}
	if s.slots != nil {
		<-s.slots
	}
}

// unsettled ends the epoch when the broker could not be told. A channel that is
// closed has given everything back already.
func (ep *amqpEpoch) unsettled(err error) {
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		ep.fail(fmt.Errorf("settle: %w", err))
	}
}
