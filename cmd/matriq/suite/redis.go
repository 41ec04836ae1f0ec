package suite

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Periods of the embedded Redis: its clock is advanced by hand, and what it
// holds is written down when it has changed.
const (
	tick     = 50 * time.Millisecond
	saveEach = 2 * time.Second
)

// embeddedRedis is miniredis with a clock that runs and a snapshot on disk. A
// clean stop keeps everything; a kill loses at most the last saveEach.
type embeddedRedis struct {
	server *miniredis.Miniredis
	file   string
	log    *slog.Logger
	saved  int // commands served at the last snapshot
}

// startRedis serves on a free loopback port what the snapshot in dir holds.
func startRedis(dir string, log *slog.Logger) (*embeddedRedis, error) {
	r := &embeddedRedis{server: miniredis.NewMiniRedis(), file: filepath.Join(dir, "redis.json"), log: log}
	if err := loadSnapshot(r.file, r.server, time.Now()); err != nil {
		return nil, fmt.Errorf("embedded redis: %w; remove the file to start without codes and sessions", err)
	}
	if err := r.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	r.saved = r.server.CommandCount()
	return r, nil
}

func (r *embeddedRedis) url() string { return "redis://" + r.server.Addr() }

// run keeps the clock and the snapshot going until ctx ends.
func (r *embeddedRedis) run(ctx context.Context) error {
	clock, save := time.NewTicker(tick), time.NewTicker(saveEach)
	defer clock.Stop()
	defer save.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-clock.C:
			r.server.FastForward(now.Sub(last))
			last = now
		case <-save.C:
			r.save()
		}
	}
}

// save writes a snapshot if any command was served since the last one.
func (r *embeddedRedis) save() {
	count := r.server.CommandCount()
	if count == r.saved {
		return
	}
	if err := writeSnapshot(r.file, r.server, time.Now()); err != nil {
		r.log.Error("snapshot of the embedded redis failed", "error", err)
		return
	}
	r.saved = count
}

// close keeps what there is and stops the server.
func (r *embeddedRedis) close() {
	r.save()
	r.server.Close()
}
