package sqldb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	txAttempts = 10
	txPause    = 5 * time.Millisecond
)

// InTx runs fn in a transaction and commits when fn returns nil. When the
// database gives the transaction up for another one (deadlock, lock wait
// timeout, busy), all of it is repeated, ten times at most, so fn must have no
// effect but on tx, and must not swallow tx's errors.
//
// On MariaDB the isolation is READ COMMITTED: no locks on gaps, and a read sees
// what a duplicate key has just been refused for.
func InTx(ctx context.Context, db *DB, fn func(tx *Tx) error) error {
	return persist(ctx, func() error { return inTx(ctx, db, fn) })
}

// Exec runs one statement by itself, and repeats it as [InTx] does a transaction. The
// statement is in the dialect of db.
func Exec(ctx context.Context, db *DB, statement string, args ...any) error {
	return persist(ctx, func() error {
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	})
}

// persist does it again when the database has given it up for something else.
func persist(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || !isConflict(err) || attempt == txAttempts {
			return err
		}
		limit := txPause << min(attempt, 5)
		if !pause(ctx, rand.N(limit)) { //nolint:gosec // spreads retries, guards nothing
			return err
		}
	}
}

func inTx(ctx context.Context, db *DB, fn func(tx *Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // also after a panic; no-op after a commit
	t := &Tx{Tx: tx, Dialect: db.Dialect}
	if err := fn(t); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, then := range t.committed {
		then()
	}
	return nil
}

// OnCommit has then run once [InTx] has committed, and not at all when it is not
// known to have.
func (tx *Tx) OnCommit(then func()) { tx.committed = append(tx.committed, then) }

// pause reports whether d has passed; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
