package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"matriq/pkg/sqldb"
)

// Done is a cast that was done, at the given time.
type Done struct {
	Key string
	At  time.Time
}

// Close ends the sending of casts that were done, in as many statements for many as
// for one. A key that is closed already, was swept or never was here is no error.
func (b *Outbox) Close(ctx context.Context, tx *sqldb.Tx, casts ...Done) error {
	open, err := stillOpen(ctx, tx, casts)
	if err != nil {
		return fmt.Errorf("read done casts: %w", err)
	}
	if len(open) == 0 {
		return nil
	}
	args := make([]any, 0, 3*len(open))
	for _, c := range open {
		args = append(args, c.Key, c.At.UnixMilli())
	}
	args = append(args, keysOf(open)...)
	query := strings.ReplaceAll(closeCasts, "$CASES", strings.Repeat(" WHEN ? THEN ?", len(open)))
	if _, err := tx.ExecContext(ctx, sqldb.WithIDs(query, len(open)), args...); err != nil {
		return fmt.Errorf("close casts: %w", err)
	}
	tx.OnCommit(func() { b.notes.drop(open) })
	for _, c := range open {
		b.metrics.done.WithLabelValues(c.target).Observe(max(0, c.At.Sub(c.created).Seconds()))
	}
	return nil
}

const (
	openCasts = `SELECT cast_key, target, created_at FROM outbox WHERE cast_key IN ($IDS) AND next_at IS NOT NULL`
	// closeCasts finds again what openCasts has found: nobody else closes it meanwhile
	// on MariaDB, where the rows are locked, and nobody writes at all on SQLite.
	closeCasts = `UPDATE outbox SET next_at = NULL, closed_at = CASE cast_key$CASES END
		WHERE cast_key IN ($IDS) AND next_at IS NOT NULL`
)

// openCast is one that this transaction closes. One that is repeated is counted
// again.
type openCast struct {
	Done
	target  string
	created time.Time
}

// stillOpen reads those of casts that are open, and locks them where others could
// write. The keys are sorted, so that two that close the same do not wait for each
// other.
func stillOpen(ctx context.Context, tx *sqldb.Tx, casts []Done) ([]openCast, error) {
	at := make(map[string]time.Time, len(casts))
	for _, c := range casts {
		if _, twice := at[c.Key]; !twice {
			at[c.Key] = c.At
		}
	}
	keys := make([]any, 0, len(at))
	for _, key := range sortedKeys(at) {
		keys = append(keys, key)
	}
	query := sqldb.WithIDs(openCasts, len(keys))
	if tx.Dialect == sqldb.MariaDB {
		query += " FOR UPDATE"
	}
	rows, err := tx.QueryContext(ctx, query, keys...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var open []openCast
	for rows.Next() {
		var c openCast
		var created int64
		if err := rows.Scan(&c.Key, &c.target, &created); err != nil {
			return nil, err
		}
		c.At, c.created = at[c.Key], time.UnixMilli(created)
		open = append(open, c)
	}
	return open, rows.Err()
}

func sortedKeys(m map[string]time.Time) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func keysOf(casts []openCast) []any {
	keys := make([]any, len(casts))
	for i, c := range casts {
		keys[i] = c.Key
	}
	return keys
}
