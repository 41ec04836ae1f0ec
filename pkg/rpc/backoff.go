package rpc

import (
	"context"
	"math/rand/v2"
	"time"
)

// The library repeats what it may repeat up to maxTries times in all, with
// waits that double from minWait to maxWait, each shortened by a random part of
// up to a half: about 3.5 s, the time of a reconnect.
const (
	maxTries = 8
	minWait  = 50 * time.Millisecond
	maxWait  = time.Second
)

func jittered(try int) time.Duration {
	wait := min(minWait<<min(try, 10), maxWait)
	return wait - rand.N(wait/2) //nolint:gosec // spreads load, keeps no secret
}

// backoff waits before the next try; false means that ctx or c ends first.
func (c *Conn) backoff(ctx context.Context, try int) bool {
	wait := jittered(try)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-c.closed:
		return false
	}
}
