package rpc

import (
	"slices"
	"time"
)

// memoryQueue holds messages until somebody settles them. All its methods need
// the broker's lock.
type memoryQueue struct {
	b    *MemoryBroker
	name string
	args map[string]any
	// ready is in the order of arrival, into which a returned message goes back.
	ready     []*memoryMessage
	unsettled int
	consumers []*memoryConsumer
	next      int // the consumer whose turn it is
	// expiry fires when the message at the head expires. Like RabbitMQ's, one
	// further behind waits until it is at the head.
	expiry *time.Timer
	// sink takes everything at once: the queue of a connection's replies.
	sink func(*envelope)
}

type memoryMessage struct {
	*envelope
	sequence uint64
	expires  time.Time // zero: never
	returned int64     // how often it came back unsettled
}

func newMemoryQueue(b *MemoryBroker, q Queue) *memoryQueue {
	return &memoryQueue{b: b, name: q.Name, args: q.Args}
}

// push stores a copy of e.
func (q *memoryQueue) push(e *envelope) {
	e = copied(e)
	if q.sink != nil {
		go q.sink(e)
		return
	}
	q.b.sequence++
	q.ready = append(q.ready, &memoryMessage{envelope: e, sequence: q.b.sequence, expires: q.expiresAt(e)})
	q.dispatch()
}

// expiresAt is by the shorter life of the message's own and the queue's.
func (q *memoryQueue) expiresAt(e *envelope) time.Time {
	life := e.expiration
	if ms, ok := q.args["x-message-ttl"].(int64); ok {
		if ttl := time.Duration(ms) * time.Millisecond; life == 0 || ttl < life {
			life = ttl
		}
	}
	if life == 0 {
		return time.Time{}
	}
	return time.Now().Add(life)
}

// dispatch hands out what is ready, in turn to the consumers with room.
func (q *memoryQueue) dispatch() {
	for {
		q.expire()
		c := q.free()
		if len(q.ready) == 0 || c == nil {
			q.watch()
			return
		}
		m := q.ready[0]
		q.ready = q.ready[1:]
		c.deliver(m)
	}
}

// free returns the next consumer with room, or nil.
func (q *memoryQueue) free() *memoryConsumer {
	for range q.consumers {
		c := q.consumers[q.next%len(q.consumers)]
		q.next = (q.next + 1) % len(q.consumers)
		if c.unsettled < c.prefetch {
			return c
		}
	}
	return nil
}

// expire dead-letters or drops what has expired at the head.
func (q *memoryQueue) expire() {
	for len(q.ready) > 0 {
		m := q.ready[0]
		if m.expires.IsZero() || time.Now().Before(m.expires) {
			return
		}
		q.ready = q.ready[1:]
		q.bury(m, "expired")
	}
}

// watch waits for the head to expire.
func (q *memoryQueue) watch() {
	if q.expiry != nil {
		q.expiry.Stop()
		q.expiry = nil
	}
	if len(q.ready) == 0 || q.ready[0].expires.IsZero() {
		return
	}
	q.expiry = time.AfterFunc(time.Until(q.ready[0].expires), func() {
		q.b.mu.Lock()
		defer q.b.mu.Unlock()
		q.dispatch()
	})
}

// bury sends m where the queue's dead letters go, if anywhere.
func (q *memoryQueue) bury(m *memoryMessage, reason string) {
	exchange, ok := q.args["x-dead-letter-exchange"].(string)
	if !ok {
		return
	}
	e := copied(m.envelope)
	e.exchange, e.expiration = exchange, 0
	if key, ok := q.args["x-dead-letter-routing-key"].(string); ok {
		e.key = key
	}
	if e.headers == nil {
		e.headers = make(map[string]any)
	}
	if e.headers["x-first-death-reason"] == nil {
		e.headers["x-first-death-reason"], e.headers["x-first-death-queue"] = reason, q.name
	}
	q.b.route(e)
}

// giveBack puts m where it was, or away when it came back too often.
func (q *memoryQueue) giveBack(m *memoryMessage) {
	m.returned++
	if limit, ok := q.args["x-delivery-limit"].(int64); ok && m.returned > limit {
		q.bury(m, "delivery_limit")
		return
	}
	i, _ := slices.BinarySearchFunc(q.ready, m, func(a, b *memoryMessage) int {
		if a.sequence < b.sequence {
			return -1
		}
		return 1
	})
	q.ready = slices.Insert(q.ready, i, m)
}

func (q *memoryQueue) remove(c *memoryConsumer) {
	q.consumers = without(q.consumers, func(o *memoryConsumer) bool { return o == c })
}

// wipe forgets what is ready.
func (q *memoryQueue) wipe() {
	q.ready = nil
	q.watch()
}
