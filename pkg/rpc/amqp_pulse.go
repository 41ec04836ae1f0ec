package rpc

import (
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// amqpPulse asks the broker over one connection for an answer: when what was
// written stays unconfirmed, and now and then when it is idle. A connection that
// is open for one side alone shows in no other way in time. A write ends in the
// kernel's buffers, and heartbeats take 15 s where the broker is not heard and
// 30 s where it does not hear.
//
// The question is one that changes nothing, on a channel of its own, so that a
// queue that is slow to confirm does not make it late.
type amqpPulse struct {
	ep   *amqpEpoch
	name string
	ch   *amqp.Channel
	// urgent tells whether something was written and is not confirmed; nil: never.
	urgent func() bool
	// deaf tells whether the broker does not read by its own word; nil: never.
	deaf func() bool
}

var errSilent = errors.New("the broker does not answer")

// openPulses has both connections watched: P has confirms to miss, and may be
// blocked.
func (ep *amqpEpoch) openPulses() error {
	p := &amqpPulse{
		ep: ep, name: "P",
		urgent: func() bool { return ep.unconfirmed() > ep.t.limits.confirm },
		deaf:   func() bool { return ep.gate.Load().shut },
	}
	if err := p.open(ep.p); err != nil {
		return err
	}
	return (&amqpPulse{ep: ep, name: "C"}).open(ep.c)
}

func (p *amqpPulse) open(conn *amqp.Connection) (err error) {
	if p.ch, err = conn.Channel(); err != nil {
		return err
	}
	p.ep.watch("pulse of "+p.name, p.ch)
	p.ep.spawn(p.run)
	return nil
}

// run ends the epoch when a question has no answer.
func (p *amqpPulse) run() {
	limits := &p.ep.t.limits
	tick := time.NewTicker(limits.confirm / 2)
	defer tick.Stop()
	answered := time.Now()
	for {
		select {
		case <-tick.C:
		case <-p.ep.done:
			return
		}
		due := time.Since(answered) > limits.heartbeat || p.urgent != nil && p.urgent()
		if !due || p.isDeaf() {
			continue
		}
		if !p.ask() {
			p.ep.fail(fmt.Errorf("connection %s: %w", p.name, errSilent))
			return
		}
		answered = time.Now()
	}
}

// ask returns false when there is no answer in time. While the broker is deaf,
// time does not count.
func (p *amqpPulse) ask() bool {
	answer := make(chan struct{})
	if !p.ep.spawn(func() {
		defer close(answer)
		_ = p.ch.Qos(0, 0, false) // fails when the channel is closed, which is watched
	}) {
		return true
	}
	for {
		gate := p.ep.gate.Load()
		timer := time.NewTimer(p.ep.t.limits.answer)
		late := timer.C
		if p.isDeaf() {
			late = nil
		}
		select {
		case <-answer:
		case <-p.ep.done:
		case <-late:
			return false
		case <-gate.changed:
			timer.Stop()
			continue
		}
		timer.Stop()
		return true
	}
}

func (p *amqpPulse) isDeaf() bool { return p.deaf != nil && p.deaf() }

// unconfirmed is for how long the broker has owed a confirm.
func (ep *amqpEpoch) unconfirmed() time.Duration {
	longest := time.Duration(0)
	for _, lane := range ep.lanes {
		if since := lane.owed.Load(); since != nil {
			longest = max(longest, time.Since(*since))
		}
	}
	return longest
}
