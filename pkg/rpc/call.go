package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Call implements [Caller]. A call that did not run because there was no
// connection is repeated, and an idempotent one also when its reply was lost:
// at most eight times in all, with 50 ms to 1 s between them and never beyond
// the deadline. Nothing else is repeated: an unroutable or refused call fails
// at once. It goes to the workers of this package where the service has any, and
// else to Nameko's.
func (c *Conn) Call(ctx context.Context, m Message) ([]byte, error) {
	if m.Kind != KindCall {
		return nil, &Error{Code: Internal, Message: messageInternal, Ran: RanNo, cause: fmt.Errorf("%s is a %s, not a call", m.Target, m.Kind)}
	}
	ctx, cancel := c.bounded(ctx, m.Deadline)
	defer cancel()
	m.Deadline, _ = ctx.Deadline()
	ctx, end := c.traced(ctx, &m)
	c.metrics.calling(m.Target)
	start := time.Now()

	result, failure := c.tryCall(ctx, m)
	c.metrics.called(m.Target, failure, time.Since(start))
	if failure != nil {
		end(failure)
		return nil, failure
	}
	end(nil)
	return result, nil
}

// bounded ends ctx at the deadline; without any, after the CallTimeout.
func (c *Conn) bounded(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	own, ok := ctx.Deadline()
	switch {
	case ok && (deadline.IsZero() || own.Equal(deadline)):
		return ctx, func() {} // as of every [Method.Call] and every handler
	case !deadline.IsZero():
		return context.WithDeadline(ctx, deadline)
	}
	return context.WithTimeout(ctx, c.o.CallTimeout)
}

func (c *Conn) tryCall(ctx context.Context, m Message) ([]byte, *Error) {
	ran := RanNo // in the tries so far
	for try := 0; ; try++ {
		result, failure := c.callOnce(ctx, m)
		if failure == nil {
			return result, nil
		}
		if ran == RanMaybe {
			failure.doubt()
		}
		if !repeatable(failure, m.Idempotent) || try+1 == maxTries || !c.backoff(ctx, try) {
			return nil, failure
		}
		ran = failure.Ran
		c.metrics.repeats.WithLabelValues(m.Target).Inc()
	}
}

// repeatable tells whether the call that failed with e may be made again.
func repeatable(e *Error, idempotent bool) bool {
	if e.Code != Unavailable || e.Remote {
		return false
	}
	switch e.Reason {
	case reasonNotConnected, reasonLost:
		return e.Ran == RanNo || idempotent
	}
	return false
}

func (c *Conn) callOnce(ctx context.Context, m Message) ([]byte, *Error) {
	if err := ctx.Err(); err != nil {
		return nil, timeout(err, RanNo)
	}
	if m.Attended {
		if err := c.attended(ctx, m.Target); err != nil {
			return nil, err
		}
	}
	if way := c.ways.of(serviceOf(m.Target)); !m.Attended && way.isStraight() {
		result, failure := c.ask(ctx, m, way.queue)
		if failure == nil || !errors.Is(failure, errUnroutable) {
			return result, failure
		}
		way.takeDetour()
	}
	result, failure := c.ask(ctx, m, "")
	if failure != nil {
		c.unsent(m.Target, failure)
	}
	return result, failure
}

// ask sends one request and waits for its reply: straight to queue, or where Nameko's
// workers take it as well when there is none.
func (c *Conn) ask(ctx context.Context, m Message, queue string) ([]byte, *Error) {
	replyTo, epoch, ok := c.t.replyTo()
	if !ok {
		return nil, failure(errNotConnected)
	}
	id := rand.Text()
	result, ok := c.pending.add(id, epoch)
	if !ok {
		return nil, failure(errNotConnected)
	}
	c.t.publish(ctx, request(ctx, m, c.origin, queue, id, replyTo), false, func(err error) {
		if err != nil {
			c.pending.settle(id, outcome{failure: failure(err)})
		}
	})
	select {
	case o := <-result:
		c.pending.reuse(result)
		if o.failure != nil {
			return nil, o.failure
		}
		return decodeReply(o.body)
	case <-ctx.Done():
		c.pending.forget(id)
		return nil, timeout(ctx.Err(), RanMaybe)
	}
}

// attended returns nil when somebody takes the requests of target's service where
// every worker does.
func (c *Conn) attended(ctx context.Context, target string) *Error {
	n, err := c.t.attendance(ctx, requestQueue(serviceOf(target)))
	switch {
	case errors.Is(err, errNoQueue):
		c.unsent(target, errUnroutable)
		return failure(errUnroutable)
	case ctx.Err() != nil:
		return timeout(ctx.Err(), RanNo)
	case err != nil:
		return failure(fmt.Errorf("%w: %w", errNotConnected, err))
	case n == 0:
		return failure(errUnattended)
	}
	return nil
}

// unsent counts the messages that no queue was there for.
func (c *Conn) unsent(target string, err error) {
	if errors.Is(err, errUnroutable) {
		c.metrics.unroutable.WithLabelValues(target).Inc()
	}
}

// receive takes an envelope of the reply queue.
func (c *Conn) receive(e *envelope) {
	if !c.pending.settle(e.correlationID, outcome{body: e.body}) {
		c.metrics.repliesDropped.Inc()
	}
}

// lost ends the calls of an epoch.
func (c *Conn) lost(epoch uint64) {
	c.metrics.connectionsLost.Inc()
	c.pending.lose(epoch)
}
