package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// say tells whoever waits for the test what is being done.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "lab: "+format+"\n", args...)
}

// step does something that takes a while, and says so.
func step(what string, do func() error) error {
	began := time.Now()
	say("%s …", what)
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	say("%s: done in %.1f s", what, time.Since(began).Seconds())
	return nil
}

// poll asks again and again until there is no error, or ctx ends; then it returns
// the last one.
func poll(ctx context.Context, every time.Duration, ask func(context.Context) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
