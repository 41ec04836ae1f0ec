package service

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// Part runs until ctx ends, then finishes what it has begun and returns. A part
// that returns nil earlier is done, and the others go on.
type Part func(ctx context.Context) error

// Serve runs the parts until ctx ends or one fails; then it asks the others to
// stop and waits for them. It returns the first failure, nil when there is none.
func (e Env) Serve(ctx context.Context, parts ...Part) error {
	if len(e.faults) > 0 {
		return e.faults
	}
	group, running := errgroup.WithContext(ctx)
	for _, part := range parts {
		group.Go(func() error { return part(running) })
	}
	err := group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // a part that only says that it was asked to stop
	}
	return err
}
