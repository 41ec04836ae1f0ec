package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// MemoryBroker is a broker inside the process, for unit tests and for the suite
// in one process. It has what Matriq needs of RabbitMQ: topic exchanges and the
// default one, expiration by message and by queue, dead-lettering, the delivery
// limit, prefetch, redelivery after a lost connection, and unroutable messages.
// All time is by timers, so it works inside testing/synctest.
//
// It keeps nothing on disk, its queues have no bound, and a body is copied on
// its way in, as a wire would.
type MemoryBroker struct {
	mu        sync.Mutex
	exchanges map[string]*memoryExchange
	queues    map[string]*memoryQueue
	conns     map[*memoryTransport]struct{}
	sequence  uint64
	down      bool
	blocked   bool
	faults    memoryFaults
	// changed is closed and made anew whenever publishers may try again.
	changed chan struct{}
}

// NewMemoryBroker returns an empty broker.
func NewMemoryBroker() *MemoryBroker {
	return &MemoryBroker{
		exchanges: make(map[string]*memoryExchange),
		queues:    make(map[string]*memoryQueue),
		conns:     make(map[*memoryTransport]struct{}),
		changed:   make(chan struct{}),
	}
}

// Connect returns a connection of its own, as another process would have it.
func (b *MemoryBroker) Connect(o Options) *Conn {
	return newConn(newMemoryTransport(b, o.Service), o)
}

// wake lets waiting publishers try again. b.mu is held.
func (b *MemoryBroker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// declare adds what is missing, unless something is there that differs. b.mu is
// held.
func (b *MemoryBroker) declare(t Topology) error {
	for _, x := range t.Exchanges {
		if err := b.declareExchange(x); err != nil {
			return err
		}
	}
	for _, q := range t.Queues {
		if err := b.declareQueue(q); err != nil {
			return err
		}
	}
	for _, bind := range t.Bindings {
		x, q := b.exchanges[bind.Exchange], b.queues[bind.Queue]
		if x == nil || q == nil {
			return fmt.Errorf("bind %s to %s: %w", bind.Queue, bind.Exchange, errNoQueue)
		}
		x.bind(bind.Key, q)
	}
	return nil
}

func (b *MemoryBroker) declareExchange(x Exchange) error {
	if x.Kind != "topic" {
		return fmt.Errorf("exchange %s is a %s: %w", x.Name, x.Kind, errors.ErrUnsupported)
	}
	if b.exchanges[x.Name] == nil {
		b.exchanges[x.Name] = &memoryExchange{exact: make(map[string][]*memoryQueue)}
	}
	return nil
}

func (b *MemoryBroker) declareQueue(q Queue) error {
	if existing := b.queues[q.Name]; existing != nil {
		if len(existing.args) != len(q.Args) || len(q.Args) > 0 && !reflect.DeepEqual(existing.args, q.Args) {
			return fmt.Errorf("queue %s: %w", q.Name, errMismatch)
		}
		return nil
	}
	b.queues[q.Name] = newMemoryQueue(b, q)
	return nil
}

// route stores e in every queue that it is meant for, and tells whether there
// was one. b.mu is held.
func (b *MemoryBroker) route(e *envelope) bool {
	queues := b.queuesFor(e)
	for _, q := range queues {
		q.push(e)
	}
	return len(queues) > 0
}

func (b *MemoryBroker) queuesFor(e *envelope) []*memoryQueue {
	if e.exchange == exchangeDefault {
		if q := b.queues[e.key]; q != nil {
			return []*memoryQueue{q}
		}
		return nil
	}
	if x := b.exchanges[e.exchange]; x != nil {
		return x.match(e.key)
	}
	return nil
}

// copied is what arrives of e at the other end of a wire.
func copied(e *envelope) *envelope {
	c := *e
	c.body = bytes.Clone(e.body)
	c.headers = maps.Clone(e.headers)
	return &c
}

// memoryExchange is a topic exchange. Most keys have no wildcard and are found
// at once.
type memoryExchange struct {
	exact    map[string][]*memoryQueue
	patterns []memoryPattern
}

type memoryPattern struct {
	words []string
	queue *memoryQueue
}

func (x *memoryExchange) bind(key string, q *memoryQueue) {
	x.unbind(key, q)
	if strings.ContainsAny(key, "*#") {
		x.patterns = append(x.patterns, memoryPattern{strings.Split(key, "."), q})
		return
	}
	x.exact[key] = append(x.exact[key], q)
}

func (x *memoryExchange) unbind(key string, q *memoryQueue) {
	if queues := without(x.exact[key], func(o *memoryQueue) bool { return o == q }); len(queues) > 0 {
		x.exact[key] = queues
	} else {
		delete(x.exact, key)
	}
	x.patterns = without(x.patterns, func(p memoryPattern) bool {
		return p.queue == q && strings.Join(p.words, ".") == key
	})
}

// without returns a new slice, since match hands out the old one.
func without[T any](list []T, drop func(T) bool) []T {
	var kept []T
	for _, item := range list {
		if !drop(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// match returns each queue once, however many of its bindings match.
func (x *memoryExchange) match(key string) []*memoryQueue {
	exact := x.exact[key]
	if len(x.patterns) == 0 {
		return exact
	}
	queues := slices.Clone(exact)
	words := strings.Split(key, ".")
	for _, p := range x.patterns {
		if matches(p.words, words) && !slices.Contains(queues, p.queue) {
			queues = append(queues, p.queue)
		}
	}
	return queues
}

// matches compares by AMQP's rules: * is one word, # any number.
func matches(pattern, words []string) bool {
	if len(pattern) == 0 {
		return len(words) == 0
	}
	if pattern[0] == "#" {
		for i := range len(words) + 1 {
			if matches(pattern[1:], words[i:]) {
				return true
			}
		}
		return false
	}
	if len(words) == 0 || (pattern[0] != "*" && pattern[0] != words[0]) {
		return false
	}
	return matches(pattern[1:], words[1:])
}

// Depth returns how many messages of queue wait for delivery; 0 when there is
// no such queue.
func (b *MemoryBroker) Depth(queue string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[queue]; q != nil {
		return len(q.ready)
	}
	return 0
}

// Unsettled returns how many messages of queue are being handled.
func (b *MemoryBroker) Unsettled(queue string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[queue]; q != nil {
		return q.unsettled
	}
	return 0
}
