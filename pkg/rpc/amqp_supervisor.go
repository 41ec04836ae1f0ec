package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// supervise opens one epoch after the other until ctx ends.
func (t *amqpTransport) supervise(ctx context.Context) {
	defer close(t.done)
	out := outage{t: t, since: time.Now()}
	for number := uint64(1); ctx.Err() == nil; {
		ep, err := t.open(ctx, number)
		if err == nil {
			number++
			out.ended(ep)
			began := time.Now()
			err = t.live(ctx, ep)
			out.began(err, time.Since(began))
		} else {
			out.lasts(ctx, err)
		}
		pause(ctx, t.limits.delay(out.level))
	}
}

// live lets publishers and consumers use ep until it is over, and returns why.
func (t *amqpTransport) live(ctx context.Context, ep *amqpEpoch) error {
	t.enter(ep)
	select {
	case <-ep.done:
	case <-ctx.Done():
		ep.fail(errClosing)
	}
	t.leave(ep.cause())
	ep.tearDown()
	t.lost(ep.number)
	return ep.cause()
}

func (t *amqpTransport) enter(ep *amqpEpoch) {
	t.mu.Lock()
	t.epoch = ep
	t.refresh()
	consumers := slices.Clone(t.consumers)
	t.mu.Unlock()
	for _, c := range consumers { // side by side: a queue in trouble may take a minute
		ep.spawn(func() {
			if err := c.subscribe(ep); err != nil {
				ep.fail(err)
			}
		})
	}
}

func (t *amqpTransport) leave(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch, t.down = nil, why
	t.refresh()
}

// gateChanged lets the state follow the gate of the current epoch.
func (t *amqpTransport) gateChanged() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refresh()
}

// outage tells the log once that the connection is lost and once that it is
// back, and spaces the attempts between.
type outage struct {
	t      *amqpTransport
	since  time.Time
	failed int // attempts of this outage
	level  int // of the delay
	logged bool
}

func (o *outage) began(why error, lived time.Duration) {
	o.since = time.Now()
	if lived > o.t.limits.maxDelay { // an epoch that dies young must not be retried in a rush
		o.level = 0
	}
	o.failed = 0
	o.level++
	if !o.t.isClosing() {
		o.t.log.Warn("broker connection lost", "err", why, "retry_min", o.t.limits.minDelay, "retry_max", o.t.limits.maxDelay)
		o.logged = true
	}
}

func (o *outage) lasts(ctx context.Context, why error) {
	o.failed++
	o.level++
	if !answered(why) {
		o.level = min(o.level, quickLevel)
	}
	if ctx.Err() != nil {
		return
	}
	o.t.leave(why)
	o.t.log.Debug("broker not reached", "err", why, "attempt", o.failed)
	if !o.logged {
		o.t.log.Warn("broker not reachable", "err", why, "retry_min", o.t.limits.minDelay, "retry_max", o.t.limits.maxDelay)
		o.logged = true
	}
}

// quickLevel is that of the delays before a broker that does not answer.
const quickLevel = 2

// answered tells whether why is the word of a broker, and not of a network or of
// a proxy in front of a broker that is down.
func answered(why error) bool {
	said, ok := errors.AsType[*amqp.Error](why)
	return ok && said.Code != amqp.FrameError && said.Code != amqp.ChannelError
}

func (o *outage) ended(ep *amqpEpoch) {
	o.t.log.Info("broker connected", "epoch", ep.number, "attempts", o.failed+1, "after", time.Since(o.since).Round(time.Millisecond))
	o.logged = false
}

// delay is random between the least delay and a limit that doubles with each
// attempt, so that the clients of a restarted broker do not come all at once.
func (l *amqpLimits) delay(attempts int) time.Duration {
	limit := min(l.maxDelay, l.minDelay<<min(attempts, 16))
	return l.minDelay + rand.N(limit-l.minDelay+1) //nolint:gosec // jitter is no secret
}

func (t *amqpTransport) isClosing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closing
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// open makes the connections and channels of an epoch and declares everything.
func (t *amqpTransport) open(ctx context.Context, number uint64) (*amqpEpoch, error) {
	ctx, cancel := context.WithTimeout(ctx, t.limits.open)
	defer cancel()
	ep := newAMQPEpoch(t, number)
	defer context.AfterFunc(ctx, ep.sockets.cut)()
	if err := ep.build(ctx); err != nil {
		ep.fail(err)
		ep.tearDown()
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", err, ctx.Err())
		}
		return nil, err
	}
	return ep, nil
}
