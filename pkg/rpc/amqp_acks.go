package rpc

import (
	"slices"
	"sync"
	"time"
)

// amqpAcks tells the broker what is settled of what came by one channel. It may let
// an ack wait for others and tell of them together: a quorum queue writes each to its
// log. What is acked and not told yet comes again when the connection is lost
// meanwhile, as what was told too late always did. The broker counts that, and parks
// what came too often, so the ack of what has come again does not wait: a message that
// kills its worker at every start must not take those along that were done before it.
type amqpAcks struct {
	ch    acknowledger
	heard func(error)   // gets what came of each ack and nack
	delay time.Duration // how long an ack may wait
	most  int           // how many wait at most, and are told of together

	mu      sync.Mutex          // held while the broker is told: an older tag must not come last
	direct  bool                // nothing waits any more
	waiting []uint64            // tags that are acked and not told
	all     uint64              // this tag and all before it are told
	told    map[uint64]struct{} // tags after it that are told as well
	timer   *time.Timer
}

// acknowledger is an [amqp.Channel].
type acknowledger interface {
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
}

// newAMQPAcks returns acks of which most may be told together; with 0 none waits.
func newAMQPAcks(ch acknowledger, heard func(error), delay time.Duration, most int) *amqpAcks {
	return &amqpAcks{ch: ch, heard: heard, delay: delay, most: most, direct: most == 0, told: make(map[uint64]struct{})}
}

// ack lets tag wait, unless it must be told now.
func (a *amqpAcks) ack(tag uint64, now bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.direct {
		a.heard(a.ch.Ack(tag, false))
		return
	}
	a.waiting = append(a.waiting, tag)
	switch {
	case now, len(a.waiting) >= a.most:
		a.tell()
	case len(a.waiting) > 1:
	case a.timer == nil:
		a.timer = time.AfterFunc(a.delay, a.flush)
	default:
		a.timer.Reset(a.delay)
	}
}

func (a *amqpAcks) nack(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.direct {
		a.told[tag] = struct{}{}
	}
	a.heard(a.ch.Nack(tag, false, true))
}

// flush tells of what waits.
func (a *amqpAcks) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tell()
}

// hurry tells of what waits; nothing waits from then on.
func (a *amqpAcks) hurry() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tell()
	a.direct = true
}

// tell takes together what follows all that is told, and tells of the rest one by one:
// what lies between is still at work. The caller holds mu.
func (a *amqpAcks) tell() {
	slices.Sort(a.waiting)
	together, rest := uint64(0), a.waiting
	for {
		if len(rest) > 0 && rest[0] == a.all+1 {
			together, rest = rest[0], rest[1:]
		} else if _, told := a.told[a.all+1]; told {
			delete(a.told, a.all+1)
		} else {
			break
		}
		a.all++
	}
	if together > 0 {
		a.heard(a.ch.Ack(together, true))
	}
	for _, tag := range rest {
		a.told[tag] = struct{}{}
		a.heard(a.ch.Ack(tag, false))
	}
	a.waiting = a.waiting[:0]
	if a.timer != nil {
		a.timer.Stop()
	}
}
