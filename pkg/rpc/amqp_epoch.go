package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// amqpEpoch is one life of the two connections. Whatever it starts it also
// waits for: after tearDown nothing of it runs.
type amqpEpoch struct {
	t       *amqpTransport
	number  uint64
	sockets sockets
	p, c    *amqp.Connection
	out     *batchedConn // of P
	lanes   [2]*amqpLane // transient, stored
	getter  amqpGetter
	replyTo string
	gate    atomic.Pointer[amqpGate]

	done chan struct{} // closed by the first fail

	mu     sync.Mutex // guards why and, against tearDown, the growth of wg
	why    error
	closed bool
	wg     sync.WaitGroup
}

// amqpGate tells whether the broker takes publishes. It is never changed, only
// replaced; then changed is closed.
type amqpGate struct {
	shut    bool
	reason  string
	changed chan struct{}
}

func newAMQPEpoch(t *amqpTransport, number uint64) *amqpEpoch {
	ep := &amqpEpoch{t: t, number: number, done: make(chan struct{})}
	ep.gate.Store(&amqpGate{changed: make(chan struct{})})
	return ep
}

// latest is the connection that was dialled last.
func (s *sockets) latest() *batchedConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, _ := s.conns[len(s.conns)-1].(*batchedConn) // dial makes no others
	return conn
}

// fail ends the epoch; the first cause counts.
func (ep *amqpEpoch) fail(why error) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return
	}
	ep.closed, ep.why = true, why
	close(ep.done)
}

func (ep *amqpEpoch) over() bool {
	select {
	case <-ep.done:
		return true
	default:
		return false
	}
}

// cause waits for the end and returns its cause.
func (ep *amqpEpoch) cause() error {
	<-ep.done
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.why
}

// spawn runs fn as a part of the epoch; false means that it is over.
func (ep *amqpEpoch) spawn(fn func()) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return false
	}
	ep.wg.Go(fn)
	return true
}

// do runs fn, which waits for the broker, as a part of the epoch and returns
// its error, or earlier when ctx ends.
func (ep *amqpEpoch) do(ctx context.Context, fn func() error) error {
	result := make(chan error, 1)
	if !ep.spawn(func() { result <- fn() }) {
		return ep.cause()
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tearDown cuts the connections and waits until everything has noticed.
func (ep *amqpEpoch) tearDown() {
	ep.sockets.cut()
	ep.wg.Wait()
}

// sayGoodbye closes both connections as the protocol has it, within ctx.
func (ep *amqpEpoch) sayGoodbye(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		ep.fail(errClosing) // the cause, before what it causes
		ep.sockets.cut()
	})()
	var both sync.WaitGroup
	for _, conn := range []*amqp.Connection{ep.p, ep.c} {
		both.Go(func() { _ = conn.Close() }) // it is closed in any case
	}
	both.Wait()
	ep.fail(errClosing)
}

// flush waits until all that is queued now is settled.
func (ep *amqpEpoch) flush(ctx context.Context) error {
	var settled [len(ep.lanes)]chan error
	for i, lane := range ep.lanes {
		settled[i] = make(chan error, 1)
		mark := &publishing{ctx: ctx, wait: true, done: func(err error) { settled[i] <- err }}
		if err := lane.put(mark); err != nil {
			mark.done(err)
		}
	}
	for _, c := range settled {
		select {
		case err := <-c:
			if err != nil {
				return fmt.Errorf("close: not everything was sent: %w", err)
			}
		case <-ctx.Done():
			return fmt.Errorf("close: not everything was confirmed: %w", ctx.Err())
		}
	}
	return nil
}

// closable is a connection or a channel.
type closable interface {
	NotifyClose(c chan *amqp.Error) chan *amqp.Error
	IsClosed() bool
}

// watch ends the epoch with what, unless the epoch itself closes it.
func (ep *amqpEpoch) watch(name string, what closable) {
	closes := what.NotifyClose(make(chan *amqp.Error, 1))
	ep.spawn(func() {
		for err := range closes {
			ep.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
	if what.IsClosed() { // before there was anybody to notify
		ep.fail(fmt.Errorf("%s: %w", name, amqp.ErrClosed))
	}
}

// build opens everything in the order in which it is needed.
func (ep *amqpEpoch) build(ctx context.Context) (err error) {
	if ep.p, err = ep.dial(ctx, "P"); err != nil {
		return err
	}
	ep.out = ep.sockets.latest()
	if ep.c, err = ep.dial(ctx, "C"); err != nil {
		return err
	}
	ep.spawn(func() { ep.watchGate(ep.p.NotifyBlocked(make(chan amqp.Blocking, 16))) })
	for i := range ep.lanes {
		if ep.lanes[i], err = ep.openLane(); err != nil {
			return fmt.Errorf("open a publishing channel: %w", err)
		}
	}
	if err = ep.openPulses(); err != nil {
		return fmt.Errorf("open a channel for the pulse: %w", err)
	}
	if err = declareOn(ep.c, ep.t.declared()); err != nil {
		return err
	}
	if err = ep.openReplies(); err != nil {
		return fmt.Errorf("open the reply queue: %w", err)
	}
	if ep.over() {
		return ep.cause()
	}
	return nil
}

func (ep *amqpEpoch) watchGate(blockings <-chan amqp.Blocking) {
	for b := range blockings {
		next := &amqpGate{shut: b.Active, reason: b.Reason, changed: make(chan struct{})}
		close(ep.gate.Swap(next).changed)
		ep.t.gateChanged()
	}
}

var errReplyQueueGone = errors.New("the reply queue was deleted")

// openReplies makes the reply queue of this epoch. Its consumer needs no acks:
// a reply that is lost with the connection is lost with the call's epoch.
func (ep *amqpEpoch) openReplies() error {
	ch, err := ep.c.Channel()
	if err != nil {
		return err
	}
	queue := replyQueue(ep.t.o.Service, newReplyKey())
	if err := ch.ExchangeDeclare(exchangeRPC, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue, false, true, true, false, nil); err != nil {
		return err
	}
	if err := ch.QueueBind(queue, queue, exchangeRPC, false, nil); err != nil {
		return err
	}
	replies, err := ch.Consume(queue, queue, true, true, false, false, nil)
	if err != nil {
		return err
	}
	ep.watch("replies", ch)
	ep.replyTo = queue
	ep.spawn(func() {
		for d := range replies {
			ep.receive(&d)
		}
		if !ch.IsClosed() {
			ep.fail(errReplyQueueGone)
		}
	})
	return nil
}

// receive hands out a reply or a pack of them.
func (ep *amqpEpoch) receive(d *amqp.Delivery) {
	e := fromAMQP(d)
	if e.contentType != contentPack {
		ep.t.receive(&e)
		return
	}
	parts, err := unpack(&e)
	if err != nil {
		ep.t.receive(&e) // nobody's, and counted as such
	}
	for i := range parts {
		ep.t.receive(&parts[i])
	}
}

// newReplyKey returns a random UUID, as Nameko has it.
func newReplyKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
