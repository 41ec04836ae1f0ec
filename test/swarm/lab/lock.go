package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock waits until no other lab runs on this machine, and returns what lets the
// next one begin. It is let go too when the program ends, however it ends.
func lock(ctx context.Context) (unlock func(context.Context) error, err error) {
	file, err := os.OpenFile(filepath.Join(home, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	told := false
	err = poll(ctx, time.Second, func(context.Context) error {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) && !told {
			told = true
			say("another run uses the lab: waiting for its end")
		}
		return err
	})
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("another run uses the lab: %w", err)
	}
	return func(context.Context) error { return file.Close() }, nil
}
