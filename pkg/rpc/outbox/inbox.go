package outbox

import (
	"context"
	"encoding/json"
	"fmt"

	"matriq/pkg/rpc"
	"matriq/pkg/sqldb"
)

// maxKey is the length of the column.
const maxKey = 512

// Once runs fn in one transaction with a note of key, and stores what it
// returned. Whoever comes again with key gets that stored result, in JSON's
// image, and fn does not run; first tells the two apart. Of several at once, one
// runs and the others wait for it. When fn fails nothing is stored, and the next
// one runs it again.
//
// fn may be run again after a deadlock, so it must have no effect but on tx. A
// key that is empty or longer than 512 bytes is an [rpc.InvalidArgument].
func Once[T any](ctx context.Context, db *sqldb.DB, key string, fn func(tx *sqldb.Tx) (T, error)) (result T, first bool, err error) {
	if key == "" || len(key) > maxKey {
		return result, false, rpc.Errorf(rpc.InvalidArgument, "the idempotency key must have 1 to %d bytes", maxKey)
	}
	err = sqldb.InTx(ctx, db, func(tx *sqldb.Tx) error {
		var zero T
		var err error
		result = zero
		if first, err = take(ctx, tx, key); err != nil {
			return err
		}
		if !first {
			return recall(ctx, tx, key, &result)
		}
		if result, err = fn(tx); err != nil {
			return err
		}
		return remember(ctx, tx, key, result)
	})
	return result, first && err == nil, err
}

// take notes key and reports whether it is new. It waits for a transaction that
// is taking the same key.
func take(ctx context.Context, tx *sqldb.Tx, key string) (bool, error) {
	_, err := tx.ExecContext(ctx, tx.SQL(`INSERT INTO inbox (message_key, result, done_at) VALUES (?, ?, $NOW)`), key, []byte("null"))
	if sqldb.IsDuplicate(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take key: %w", err)
	}
	return true, nil
}

func remember(ctx context.Context, tx *sqldb.Tx, key string, result any) error {
	body, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE inbox SET result = ? WHERE message_key = ?`, body, key); err != nil {
		return fmt.Errorf("store result: %w", err)
	}
	return nil
}

func recall(ctx context.Context, tx *sqldb.Tx, key string, result any) error {
	var body []byte
	if err := tx.QueryRowContext(ctx, `SELECT result FROM inbox WHERE message_key = ?`, key).Scan(&body); err != nil {
		return fmt.Errorf("read stored result: %w", err)
	}
	if err := json.Unmarshal(body, result); err != nil {
		return fmt.Errorf("decode stored result: %w", err)
	}
	return nil
}
