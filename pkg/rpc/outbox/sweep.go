package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"matriq/pkg/sqldb"
)

// Retention is how long what is done is kept. Zero values mean what the
// comments say.
type Retention struct {
	// Casts is the life of a closed cast after it was closed. Zero: 7 days.
	Casts time.Duration
	// Keys is the life of a key of [Once]. It must be longer than a message can
	// take to come again, out of a parking queue too. Zero: 30 days.
	Keys time.Duration
	// Every is the time between two sweeps. Zero: 10 min.
	Every time.Duration
}

func (r Retention) withDefaults() Retention {
	r.Casts = cmp.Or(r.Casts, 7*24*time.Hour)
	r.Keys = cmp.Or(r.Keys, 30*24*time.Hour)
	r.Every = cmp.Or(r.Every, 10*time.Minute)
	return r
}

// Sweep deletes closed casts and keys that are older than keep says, and runs
// what the service has to sweep also, now and then, until ctx ends. Every
// replica may run it. Open casts stay, however old.
func Sweep(ctx context.Context, db *sqldb.DB, log *slog.Logger, keep Retention, also ...func(context.Context) error) error {
	keep = keep.withDefaults()
	for ctx.Err() == nil {
		err := sweep(ctx, db, keep)
		for _, other := range also {
			err = errors.Join(err, other(ctx))
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "database not swept", slog.Any("error", err))
		}
		timer := time.NewTimer(keep.Every + rand.N(keep.Every)/10) //nolint:gosec // spreads replicas, guards nothing
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

func sweep(ctx context.Context, db *sqldb.DB, keep Retention) error {
	if err := sqldb.Purge(ctx, db, oldCasts, dropCasts, keep.Casts.Milliseconds()); err != nil {
		return fmt.Errorf("sweep casts: %w", err)
	}
	if err := sqldb.Purge(ctx, db, oldKeys, dropKeys, keep.Keys.Milliseconds()); err != nil {
		return fmt.Errorf("sweep keys: %w", err)
	}
	return nil
}

const (
	oldCasts  = `SELECT cast_key FROM outbox WHERE closed_at < $NOW - ? ORDER BY closed_at LIMIT ?`
	dropCasts = `DELETE FROM outbox WHERE cast_key IN ($IDS) AND next_at IS NULL`
	oldKeys   = `SELECT message_key FROM inbox WHERE done_at < $NOW - ? ORDER BY done_at LIMIT ?`
	dropKeys  = `DELETE FROM inbox WHERE message_key IN ($IDS)`
)
