package ui

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// pauses are waited between the attempts of one call. A gateway that is being
// replaced refuses connections for less than their sum.
func pauses() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, time.Second}
}

// repeat makes c again when that may help: when no gateway was reached or its
// answer was lost, and where c insists also when one was busy.
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
	if r, ok := errors.AsType[*refusalError](err); ok {
		return c.insist && r.status == http.StatusServiceUnavailable
	}
	return errors.Is(err, errUnavailable)
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
