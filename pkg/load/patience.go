package load

import (
	"context"
	"errors"
	"time"
)

// Patience is for how long visitors come again when an answer tells them when
// to. The zero value goes at once.
type Patience time.Duration

// ask asks, and asks again.
func (p Patience) ask(ctx context.Context, once func() (*answer, error)) (*answer, error) {
	until := time.Now().Add(time.Duration(p))
	for {
		a, err := once()
		status, refused := errors.AsType[*StatusError](err)
		if !refused || status.RetryAfter <= 0 || time.Now().Add(status.RetryAfter).After(until) {
			return a, err
		}
		if err := pause(ctx, status.RetryAfter); err != nil {
			return nil, err
		}
	}
}

// pause waits for d, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
