package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Cast implements [Caster]. It waits while there is no connection, the broker
// blocks publishers, or too much is waiting to be sent, until ctx ends; without
// a deadline, for the CallTimeout. What was not confirmed is sent again, at
// most eight times in all: the receivers tell a repeat by its key. A cast to a
// service that never ran fails at once.
func (c *Conn) Cast(ctx context.Context, m Message) error {
	if m.Kind != KindCast && m.Kind != KindEvent {
		return &Error{Code: Internal, Message: messageInternal, Ran: RanNo, cause: fmt.Errorf("%s is a %s, not a cast or an event", m.Target, m.Kind)}
	}
	ctx, cancel := c.bounded(ctx, time.Time{})
	defer cancel()
	ctx, end := c.traced(ctx, &m)
	failed := c.castStored(ctx, m)
	c.metrics.cast(m, failed)
	if failed != nil {
		end(failed)
		return failed
	}
	end(nil)
	return nil
}

func (c *Conn) castStored(ctx context.Context, m Message) *Error {
	e := stored(ctx, m, c.origin)
	if err := c.exchanges.ensure(ctx, c.t, e.exchange); err != nil {
		return failure(fmt.Errorf("declare %s: %w: %w", e.exchange, errNotConnected, err))
	}
	err := c.store(ctx, e)
	if err == nil {
		return nil
	}
	c.unsent(m.Target, err)
	return failure(err)
}

// store publishes e until the broker has confirmed it. An error says that e was
// sent when any of the tries did.
func (c *Conn) store(ctx context.Context, e *envelope) error {
	sent := false
	for try := 0; ; try++ {
		err := c.storeOnce(ctx, e)
		if err == nil {
			return nil
		}
		failed, ok := errors.AsType[*publishError](err)
		if !ok {
			failed = &publishError{err: err}
		}
		sent = sent || failed.sent
		if errors.Is(err, errUnroutable) || try+1 == maxTries || !c.backoff(ctx, try) {
			return &publishError{sent: sent, err: failed.err}
		}
	}
}

func (c *Conn) storeOnce(ctx context.Context, e *envelope) error {
	w, ok := c.words.Get().(*word)
	if !ok {
		w = newWord()
	}
	c.t.publish(ctx, e, true, w.give)
	select {
	case err := <-w.given:
		c.words.Put(w)
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(lastWord)
	defer timer.Stop()
	select {
	case err := <-w.given:
		c.words.Put(w)
		return err
	case <-timer.C:
		return &publishError{sent: true, err: ctx.Err()}
	}
}

// word is what the transport says of one envelope. It serves again for another
// once it was heard.
type word struct {
	given chan error
	give  func(error)
}

func newWord() *word {
	w := &word{given: make(chan error, 1)}
	w.give = func(err error) { w.given <- err }
	return w
}

// lastWord is how long the transport has to tell, after the end of a context,
// that the message was never sent. Without its word it may have been.
const lastWord = 50 * time.Millisecond

// exchanges remembers what a sender has declared. The transport declares it
// again after a reconnect.
type exchanges struct {
	mu       sync.Mutex
	declared map[string]bool
}

// ensure declares name once for the life of the program, so that a sender of events
// may start before any receiver. The default exchange is always there.
func (x *exchanges) ensure(ctx context.Context, t transport, name string) error {
	if name == exchangeDefault || x.has(name) {
		return nil
	}
	if err := t.declare(ctx, Topology{Exchanges: []Exchange{{Name: name, Kind: "topic"}}}); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.declared == nil {
		x.declared = make(map[string]bool)
	}
	x.declared[name] = true
	return nil
}

func (x *exchanges) has(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.declared[name]
}
