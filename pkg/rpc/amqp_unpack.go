package rpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// amqpPack is a pack that was delivered, until each of its parts is settled.
type amqpPack struct {
	left atomic.Int32
	// again is true when it was handed out before.
	again bool
	// back counts the parts that are on their way back to their queue.
	back *sync.WaitGroup
}

// parts are the settlements of what s has packed; nil when s is no pack, or one that
// cannot be read, which is for the worker to refuse as a whole.
func (s *settlement) parts(back *sync.WaitGroup) []*settlement {
	if s.contentType != contentPack {
		return nil
	}
	envelopes, err := unpack(&s.envelope)
	if err != nil {
		return nil
	}
	pack := &amqpPack{again: s.redelivered, back: back}
	pack.left.Store(int32(len(envelopes))) //nolint:gosec // as many as there were bytes, at most
	parts := make([]*settlement, len(envelopes))
	for i, e := range envelopes {
		part := &settlement{ep: s.ep, acks: s.acks, tag: s.tag, slots: s.slots, pack: pack}
		part.delivery = delivery{envelope: e, queue: s.queue, settler: part}
		parts[i] = part
	}
	return parts
}

// settled counts a part of a pack, and acks the pack with the last one: at once when it
// came again, as a part that is back may kill this worker, and the pack would bring
// another of each.
func (s *settlement) settled() {
	if s.pack.left.Add(-1) == 0 {
		s.acks.ack(s.tag, s.pack.again)
	}
}

// backPause is between two attempts to give a part back to a queue that refuses it.
const backPause = time.Second

// giveBack sends a part back to its queue by itself, where its handler has a worker
// alone to answer for, and counts it then. The broker has the pack until all its parts
// are done or back, and gives it back itself when the epoch ends before that.
func (s *settlement) giveBack() {
	s.pack.back.Add(1)
	if !s.ep.spawn(func() {
		defer s.pack.back.Done()
		for !s.sentBack() {
			pause := time.NewTimer(backPause)
			select {
			case <-pause.C:
			case <-s.ep.done:
				pause.Stop()
				return
			}
		}
		s.settled()
	}) {
		s.pack.back.Done()
	}
}

// sentBack tells whether the part is in its queue again, or the queue is no more.
func (s *settlement) sentBack() bool {
	alone := s.envelope
	alone.exchange, alone.key, alone.mandatory, alone.alone = exchangeDefault, s.queue, true, true
	result := make(chan error, 1)
	p := &publishing{envelope: &alone, ctx: context.Background(), wait: true, done: func(err error) { result <- err }}
	if err := s.ep.laneOf(&alone).put(p); err != nil {
		return false
	}
	err := <-result
	return err == nil || errors.Is(err, errUnroutable)
}
