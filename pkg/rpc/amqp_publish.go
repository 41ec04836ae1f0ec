package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publishing is an envelope on its way through a lane. Without an envelope it
// is a mark, done when all before it is settled.
type publishing struct {
	*envelope
	ctx     context.Context //nolint:containedctx // bounds how long a queued publishing waits while the gate is shut
	wait    bool
	done    func(error)
	id      messageID // to know it by when it comes back
	at      time.Time // of the write
	confirm *amqp.DeferredConfirmation
	parts   []*publishing // of a pack
}

func (p *publishing) fail(sent bool, why error) { p.done(&publishError{sent: sent, err: why}) }

func (t *amqpTransport) publish(ctx context.Context, e *envelope, wait bool, done func(error)) {
	p := &publishing{envelope: e, ctx: ctx, wait: wait, done: done}
	if err := checkAMQP(e); err != nil {
		p.fail(false, err)
		return
	}
	for {
		s := t.state.Load()
		err := s.err
		if err == nil {
			if err = s.epoch.laneOf(e).put(p); err == nil {
				return
			}
		}
		if !wait || errors.Is(err, errClosing) {
			p.fail(false, err)
			return
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			p.fail(false, fmt.Errorf("%w (%w)", err, ctx.Err()))
			return
		}
	}
}

// laneOf keeps what must be quick apart from what must be stored.
func (ep *amqpEpoch) laneOf(e *envelope) *amqpLane {
	if e.transient {
		return ep.lanes[0]
	}
	return ep.lanes[1]
}

// amqpLane publishes through one channel. The writer writes, and packs what has come
// meanwhile; the settler alone calls done for what is written.
type amqpLane struct {
	ep      *amqpEpoch
	ch      *amqp.Channel
	queue   chan *publishing
	slots   chan struct{}             // taken by each written publishing
	written chan *publishing          // oldest first; never full, since slots are fewer
	returns chan amqp.Return          // never full either
	count   uint64                    // of envelopes written
	owed    atomic.Pointer[time.Time] // when the oldest unconfirmed envelope was written; nil: none
	ready   []*publishing             // gathered and not yet written; the writer's own

	mu     sync.RWMutex // held for reading by put
	closed bool         // nobody takes from queue any more
}

func (ep *amqpEpoch) openLane() (*amqpLane, error) {
	ch, err := ep.p.Channel()
	if err != nil {
		return nil, err
	}
	window := ep.t.limits.window
	l := &amqpLane{
		ep: ep, ch: ch,
		queue:   make(chan *publishing, ep.t.limits.queue),
		slots:   make(chan struct{}, window),
		written: make(chan *publishing, window),
		returns: ch.NotifyReturn(make(chan amqp.Return, window)),
	}
	ep.watch("publishing channel", ch)
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	ep.spawn(l.write)
	ep.spawn(l.settle)
	return l, nil
}

// put queues p, or returns why not: the queue is full, or the epoch is over.
func (l *amqpLane) put(p *publishing) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return errNotConnected
	}
	select {
	case l.queue <- p:
		return nil
	default:
	}
	if !p.wait {
		return errFull
	}
	select {
	case l.queue <- p:
		return nil
	case <-l.ep.done:
		return errNotConnected
	case <-p.ctx.Done():
		return fmt.Errorf("%w (%w)", errFull, p.ctx.Err())
	}
}

// write is the writer: it takes a slot, then an envelope, while the gate is
// open and the connection has room.
func (l *amqpLane) write() {
	defer l.end()
	for !l.ep.over() {
		gate := l.ep.gate.Load()
		if gate.shut {
			l.park()
			continue
		}
		select {
		case l.slots <- struct{}{}:
		case <-gate.changed:
			continue
		case <-l.ep.done:
			continue
		}
		if p := l.next(gate); p != nil {
			l.send(p)
		} else {
			<-l.slots
		}
	}
}

// next returns what to write, nil when the gate changes or the epoch ends before there
// is any.
func (l *amqpLane) next(gate *amqpGate) *publishing {
	if len(l.ready) == 0 {
		select {
		case p := <-l.queue:
			runtime.Gosched() // what is runnable may publish as well, and share a message
			if len(l.queue) == 0 {
				return p
			}
			l.ready = l.gather(p)
		case <-gate.changed:
			return nil
		case <-l.ep.done:
			return nil
		}
	}
	p := l.ready[0]
	l.ready = l.ready[1:]
	return p
}

// takeReady returns what is gathered, unpacked again.
func (l *amqpLane) takeReady() (all []*publishing) {
	for _, p := range l.ready {
		if p.parts == nil {
			all = append(all, p)
		}
		all = append(all, p.parts...)
	}
	l.ready = nil
	return all
}

// end fails what is still queued; put adds nothing from then on.
func (l *amqpLane) end() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	close(l.written)
	for _, p := range l.takeReady() {
		p.fail(false, l.ep.cause())
	}
	for {
		select {
		case p := <-l.queue:
			p.fail(false, l.ep.cause())
		default:
			return
		}
	}
}

// send writes p, for which a slot is taken, when the connection has room; of one that
// ends before that, nothing of p was written. What is written first is confirmed first,
// and in written first.
func (l *amqpLane) send(p *publishing) {
	if err := l.ep.out.awaitRoom(); err != nil {
		l.ep.fail(fmt.Errorf("write: %w", err))
		<-l.slots
		p.fail(false, err)
		return
	}
	if p.envelope == nil {
		l.written <- p
		return
	}
	if l.ch.IsClosed() {
		<-l.slots
		p.fail(false, l.ep.cause())
		return
	}
	l.count++
	p.at = time.Now()
	p.id = l.idOf(p.envelope)
	confirm, err := l.ch.PublishWithDeferredConfirm(p.exchange, p.key, p.mandatory, false, toAMQP(p.envelope, p.id.message))
	if err != nil {
		l.ep.fail(fmt.Errorf("write: %w", err))
		<-l.slots
		p.fail(true, err)
		return
	}
	p.confirm = confirm
	l.written <- p
}

// messageID is what a returned envelope is known by. A request has a correlation id
// of its own, and two replies to a request that came twice go the same way. Others
// get the lane's count of envelopes as their message id.
type messageID struct{ key, correlation, message string }

func (l *amqpLane) idOf(e *envelope) messageID {
	id := messageID{key: e.key, correlation: e.correlationID}
	if e.mandatory && id.correlation == "" {
		id.message = strconv.FormatUint(l.count, 10)
	}
	return id
}

// parked is a publishing that waits for the gate.
type parked struct {
	*publishing
	claim func() bool // false when its context has ended, and done is called
}

// park empties the queue while the gate is shut: who does not wait is told so,
// who waits does so until its context ends. It returns when all those that
// waited are written, or the epoch is over.
func (l *amqpLane) park() {
	var waiting []parked
	shut := func(p *publishing, gate *amqpGate) {
		if p.wait {
			waiting = append(waiting, l.hold(p, gate))
		} else {
			p.fail(false, fmt.Errorf("%w: %s", errBlocked, gate.reason))
		}
	}
	for _, p := range l.takeReady() {
		shut(p, l.ep.gate.Load())
	}
	for gate := l.ep.gate.Load(); ; gate = l.ep.gate.Load() {
		queue, slots := l.queue, l.slots
		if gate.shut {
			slots = nil
		} else {
			queue = nil
			if len(waiting) == 0 {
				return
			}
		}
		select {
		case p := <-queue:
			shut(p, gate)
		case slots <- struct{}{}:
			if waiting[0].claim() {
				l.send(waiting[0].publishing)
			} else {
				<-l.slots
			}
			waiting = waiting[1:]
		case <-gate.changed:
		case <-l.ep.done:
			for _, p := range waiting {
				if p.claim() {
					p.fail(false, l.ep.cause())
				}
			}
			return
		}
	}
}

func (l *amqpLane) hold(p *publishing, gate *amqpGate) parked {
	return parked{p, context.AfterFunc(p.ctx, func() {
		p.fail(false, fmt.Errorf("%w: %s (%w)", errBlocked, gate.reason, p.ctx.Err()))
	})}
}

// settle is the settler. amqp091-go ends every confirmation when the channel
// closes, so it always gets to the end.
func (l *amqpLane) settle() {
	returned := make(map[messageID]int)
	for p := range l.written {
		p.done(l.outcome(p, returned))
		<-l.slots
	}
}

// outcome waits for the broker's word on p. The returns are looked through
// after the confirm; the comment of amqpTransport says why that is enough.
func (l *amqpLane) outcome(p *publishing, returned map[messageID]int) error {
	if p.envelope == nil {
		return nil
	}
	l.owed.Store(&p.at)
	<-p.confirm.Done()
	l.owed.Store(nil)
	l.collectReturns(returned)
	if returned[p.id] > 0 {
		if returned[p.id]--; returned[p.id] == 0 {
			delete(returned, p.id)
		}
		return errUnroutable
	}
	switch {
	case p.confirm.Acked():
		return nil
	case l.ch.IsClosed():
		return &publishError{sent: true, err: l.ep.cause()}
	default:
		return &publishError{sent: true, err: errRefused}
	}
}

func (l *amqpLane) collectReturns(into map[messageID]int) {
	for {
		select {
		case r, ok := <-l.returns:
			if !ok {
				return
			}
			into[messageID{key: r.RoutingKey, correlation: r.CorrelationId, message: r.MessageId}]++
		default:
			return
		}
	}
}
