package chaos_test

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// victim is a process that is killed and started again. It has many lives.
type victim struct {
	kind, name string
	// least is how long it lives at least, once it runs, so that a server with a
	// long start serves at all between two kills.
	least time.Duration
	// start begins a life. For a server it returns when it serves, for a service
	// when it runs.
	start func(ctx context.Context) error
	// kill ends the life with SIGKILL. Its error tells of a life that had already
	// ended by itself.
	kill func() error

	mu    sync.Mutex
	since time.Time // of this life; zero while there is none
}

// begin starts a life.
func (v *victim) begin(ctx context.Context) error {
	if err := v.start(ctx); err != nil {
		return fmt.Errorf("start %s: %w", v.name, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.since = time.Now()
	return nil
}

// end kills it, unless it is still starting or has just begun.
func (v *victim) end() (killed bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.since.IsZero() || time.Since(v.since) < v.least {
		return false, nil
	}
	v.since = time.Time{}
	if err := v.kill(); err != nil {
		return true, fmt.Errorf("kill %s: %w", v.name, err)
	}
	return true, nil
}
