package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/sqldb"
)

// claimed is an open row that this relay alone may send until its lease ends.
type claimed struct {
	id    int64
	sends int
	cast  rpc.Message
	// expired means that the cast's deadline is over by the database's clock.
	expired bool
}

// claim takes open rows that are due, at most a window of them, and puts them
// off by the lease. Rows that another relay is taking are skipped, never waited
// for.
func (b *Outbox) claim(ctx context.Context) ([]claimed, error) {
	rows, err := b.claimSQL(ctx)
	if err != nil {
		return nil, fmt.Errorf("claim casts: %w", err)
	}
	return rows, nil
}

func (b *Outbox) claimSQL(ctx context.Context) ([]claimed, error) {
	if b.db.Dialect == sqldb.SQLite {
		rows, err := b.db.QueryContext(ctx, b.db.SQL(claimSQLite), b.o.Lease.Milliseconds(), b.o.Window)
		return scanClaimed(rows, err)
	}
	var found []claimed
	err := sqldb.InTx(ctx, b.db, func(tx *sqldb.Tx) error {
		rows, err := tx.QueryContext(ctx, tx.SQL(claimMaria), b.o.Window)
		if found, err = scanClaimed(rows, err); err != nil || len(found) == 0 {
			return err
		}
		args := []any{b.o.Lease.Milliseconds()}
		for _, row := range found {
			args = append(args, row.id)
		}
		_, err = tx.ExecContext(ctx, tx.SQL(sqldb.WithIDs(leaseMaria, len(found))), args...)
		return err
	})
	return found, err
}

const (
	claimMaria = `SELECT id, cast_key, target, body, travels, deadline_at, sends, COALESCE(deadline_at <= $NOW, 0)
		FROM outbox WHERE next_at <= $NOW ORDER BY next_at LIMIT ? FOR UPDATE SKIP LOCKED`
	leaseMaria  = `UPDATE outbox SET next_at = $NOW + ? WHERE id IN ($IDS)`
	claimSQLite = `UPDATE outbox SET next_at = $NOW + ?
		WHERE id IN (SELECT id FROM outbox WHERE next_at <= $NOW ORDER BY next_at LIMIT ?)
		RETURNING id, cast_key, target, body, travels, deadline_at, sends, COALESCE(deadline_at <= $NOW, 0)`
)

// scanClaimed reads and closes rows.
func scanClaimed(rows *sql.Rows, err error) ([]claimed, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []claimed
	for rows.Next() {
		row, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

func scanRow(rows *sql.Rows) (claimed, error) {
	var (
		c        claimed
		headers  string
		deadline sql.NullInt64
		t        travels
	)
	c.cast.Kind = rpc.KindCast
	err := rows.Scan(&c.id, &c.cast.Key, &c.cast.Target, &c.cast.Body, &headers, &deadline, &c.sends, &c.expired)
	if err != nil {
		return claimed{}, err
	}
	if err := json.Unmarshal([]byte(headers), &t); err != nil {
		return claimed{}, fmt.Errorf("decode headers of row %d: %w", c.id, err)
	}
	c.cast.Meta, c.cast.TraceParent = t.Meta, t.TraceParent
	if deadline.Valid {
		c.cast.Deadline = time.UnixMilli(deadline.Int64)
	}
	return c, nil
}
