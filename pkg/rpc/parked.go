package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Parked is a cast or an event that nobody could finish. It waits for an
// operator and is never dropped by itself.
type Parked struct {
	// ID is made from the content, so that it is the same at every look. Two
	// deliveries of the same message have the same.
	ID string
	// Method is "service.method" of the handler.
	Method string
	Kind   Kind
	// Key is the idempotency key.
	Key string
	// Reason is "attempts", "invalid" or "permanent"; "delivery_limit" for what
	// the broker parked because its workers died of it.
	Reason string
	// LastError is the code and the reason of the latest failure. The log has
	// the rest, under the request id.
	LastError string
	Attempts  int
	// FailedAt is when the first attempt failed; At is when it was parked. Both
	// are zero where nobody could note it.
	FailedAt, At time.Time
	// Deadline is when the work loses its sense; zero for never.
	Deadline time.Time
	Meta     Meta
	Body     []byte
}

// CountParked returns how many messages of service are parked.
func (c *Conn) CountParked(ctx context.Context, service string) (int, error) {
	ctx, cancel := c.bounded(ctx, time.Time{})
	defer cancel()
	n, err := c.t.count(ctx, parkingQueue(service))
	if err != nil {
		return 0, parkedFailure(service, err)
	}
	return n, nil
}

// Parked returns up to limit parked messages of service, oldest first; all of
// them when limit is zero. What another operator is just looking at is hidden.
func (c *Conn) Parked(ctx context.Context, service string, limit int) ([]Parked, error) {
	var all []Parked
	err := c.sweep(ctx, service, func(_ context.Context, d *delivery) (verdict, error) {
		all = append(all, parkedOf(d))
		return verdict{last: len(all) == limit}, nil
	})
	return all, err
}

// Replay gives the parked message id back to its service with all its attempts
// before it. It may be done twice when this program dies in between.
func (c *Conn) Replay(ctx context.Context, service, id string) error {
	return c.one(ctx, service, id, func(ctx context.Context, d *delivery) error { return c.replay(ctx, service, d) })
}

// ReplayAll gives all parked messages back to service, and returns how many.
// What is parked again meanwhile stays; a count of what waits would not tell,
// since a broker may say 0 or too few for a moment.
func (c *Conn) ReplayAll(ctx context.Context, service string) (int, error) {
	replayed := make(map[string]bool)
	n := 0
	err := c.sweep(ctx, service, func(ctx context.Context, d *delivery) (verdict, error) {
		id := parkedOf(d).ID
		if replayed[id] {
			return verdict{}, nil
		}
		if err := c.replay(ctx, service, d); err != nil {
			return verdict{}, err
		}
		replayed[id] = true
		n++
		return verdict{settled: true}, nil
	})
	return n, err
}

// Drop removes the parked message id for good.
func (c *Conn) Drop(ctx context.Context, service, id string) error {
	return c.one(ctx, service, id, func(_ context.Context, d *delivery) error {
		d.ack()
		return nil
	})
}

// one does act, which settles, on the first parked message with that id.
func (c *Conn) one(ctx context.Context, service, id string, act func(context.Context, *delivery) error) error {
	found := false
	err := c.sweep(ctx, service, func(ctx context.Context, d *delivery) (verdict, error) {
		if parkedOf(d).ID != id {
			return verdict{}, nil
		}
		found = true
		err := act(ctx, d)
		return verdict{settled: err == nil, last: true}, err
	})
	if err == nil && !found {
		return &Error{Code: NotFound, Message: fmt.Sprintf("%s has no parked message %s", service, id), Reason: "not_parked", Ran: RanNo}
	}
	return err
}

// replay stores d in the work queue before it leaves the parking queue.
func (c *Conn) replay(ctx context.Context, service string, d *delivery) error {
	e := moved(d, workQueue(service), map[string]any{
		headerAttempt: nil, headerError: nil, headerFailedAt: nil, headerParked: nil, headerParkedAt: nil,
	})
	if err := c.store(ctx, e); err != nil {
		return failure(err)
	}
	d.ack()
	return nil
}

// verdict is what a visit made of a parked message.
type verdict struct {
	settled bool
	last    bool // the sweep has seen enough
}

// sweep shows the parked messages of service to visit, oldest first. Those that
// it leaves unsettled go back at the end: one that went back at once would come
// again.
func (c *Conn) sweep(ctx context.Context, service string, visit func(context.Context, *delivery) (verdict, error)) error {
	ctx, cancel := c.bounded(ctx, time.Time{})
	defer cancel()
	queue := parkingQueue(service)
	waiting, err := c.t.count(ctx, queue)
	if err != nil {
		return parkedFailure(service, err)
	}
	kept, settled, err := c.look(ctx, queue, visit)
	for _, d := range kept {
		d.nack()
	}
	if len(kept) > 0 {
		c.reappear(ctx, queue, waiting-settled)
	}
	return err
}

// look visits until visit or the queue has no more.
func (c *Conn) look(ctx context.Context, queue string, visit func(context.Context, *delivery) (verdict, error)) (kept []*delivery, settled int, err error) {
	for {
		d, ok, err := c.t.get(ctx, queue)
		if err != nil {
			return kept, settled, failure(err)
		}
		if !ok {
			return kept, settled, nil
		}
		v, err := visit(ctx, d)
		if v.settled {
			settled++
		} else {
			kept = append(kept, d)
		}
		if err != nil || v.last {
			return kept, settled, err
		}
	}
}

// reappear waits until n messages can be seen again, since a broker does not
// tell when it has taken one back: who looks twice should not miss any. It
// gives up after a second, for somebody else may be looking.
func (c *Conn) reappear(ctx context.Context, queue string, n int) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if visible, err := c.t.count(ctx, queue); err != nil || visible >= n {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// parkedFailure names the one failure that an operator can mistype.
func parkedFailure(service string, err error) error {
	if errors.Is(err, errNoQueue) {
		return &Error{Code: NotFound, Message: service + " has never stored a message", Reason: reasonNoService, Ran: RanNo, cause: err}
	}
	return failure(err)
}

func parkedOf(d *delivery) Parked {
	in := said(d)
	p := Parked{
		Method: in.method, Kind: in.kind(), Key: in.key, Reason: in.parked, LastError: in.lastErr, Attempts: in.attempts,
		FailedAt: in.failedAt, At: in.parkedAt, Deadline: in.deadline, Meta: in.meta, Body: d.body,
	}
	if p.Reason == "" {
		p.Reason = "delivery_limit"
	}
	hash := sha256.New()
	for _, part := range []string{p.Method, p.Key, string(p.Body)} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	p.ID = hex.EncodeToString(hash.Sum(nil)[:8])
	return p
}
