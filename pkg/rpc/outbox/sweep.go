package outbox

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"matriq/pkg/sqldb"
)

// sweepBatch is how many rows one statement deletes: few enough to hold up
// nobody.
const sweepBatch = 500

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

// Sweep deletes closed casts and keys that are older than keep says, now and
// then, until ctx ends. Every replica may run it. Open casts stay, however old.
func Sweep(ctx context.Context, db *sqldb.DB, log *slog.Logger, keep Retention) error {
	keep = keep.withDefaults()
	for ctx.Err() == nil {
		if err := sweep(ctx, db, keep); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "outbox not swept", slog.Any("error", err))
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
	if err := drain(ctx, db, oldCasts, dropCasts, keep.Casts); err != nil {
		return fmt.Errorf("sweep casts: %w", err)
	}
	if err := drain(ctx, db, oldKeys, dropKeys, keep.Keys); err != nil {
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

// drain deletes what find finds, batch by batch, until it finds less than one.
// Rows are looked up first and deleted by key, so that no range is locked.
func drain(ctx context.Context, db *sqldb.DB, find, drop string, age time.Duration) error {
	for {
		keys, err := findKeys(ctx, db, find, age)
		if err != nil || len(keys) == 0 {
			return err
		}
		err = sqldb.InTx(ctx, db, func(tx *sqldb.Tx) error { return put(ctx, tx, drop, keys) })
		if err != nil || len(keys) < sweepBatch {
			return err
		}
	}
}

func findKeys(ctx context.Context, db *sqldb.DB, find string, age time.Duration) ([]any, error) {
	rows, err := db.QueryContext(ctx, db.SQL(find), age.Milliseconds(), sweepBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []any
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
