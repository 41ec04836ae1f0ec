package ui

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// pauses are waited between the attempts of one call. A gateway that is being
// replaced refuses connections for less than their sum.
func pauses() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, time.Second}
}

// repeat makes c again when that is safe and may help: an idempotent call after
// any failure that passes, any other only when it never reached a gateway.
func (g *Gateways) repeat(ctx context.Context, who on, c call) ([]byte, error) {
	data, err := g.once(ctx, who, c)
	for _, pause := range pauses() {
		if err == nil || !c.mayRepeat(err) || !wait(ctx, pause) {
			break
		}
		data, err = g.once(ctx, who, c)
	}
	return data, err
}

func (c call) mayRepeat(err error) bool {
	if neverSent(err) {
		return true
	}
	if !c.idempotent {
		return false
	}
	if r, ok := errors.AsType[*refusalError](err); ok {
		return r.status == http.StatusServiceUnavailable || r.reason == reasonInFlight
	}
	return errors.Is(err, errUnavailable)
}

// neverSent is true when no connection came about.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// wait is false when ctx ended first, or is sure to.
func wait(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
