package student

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"matriq/pkg/rpc"
	"matriq/pkg/sqldb"
)

// maxKey is the length of the column.
const maxKey = 512

// Reserve implements [Store].
func (s *SQLStore) Reserve(ctx context.Context, key string, hash [32]byte) (answer int64, err error) {
	if len(key) > maxKey {
		return 0, rpc.Errorf(rpc.InvalidArgument, "the idempotency key must have 1 to %d bytes", maxKey)
	}
	inFlight, life := s.keep.InFlight.Milliseconds(), s.keep.KeyLife.Milliseconds()
	err = sqldb.Exec(ctx, s.db, s.db.SQL(insertKey), key, hash[:], inFlight, life)
	if sqldb.IsDuplicate(err) {
		answer, err = s.reserveAgain(ctx, key, hash, inFlight, life)
	}
	if err != nil {
		return 0, fmt.Errorf("reserve idempotency key: %w", err)
	}
	return answer, nil
}

// reserveAgain takes a key that has been here.
func (s *SQLStore) reserveAgain(ctx context.Context, key string, hash [32]byte, inFlight, life int64) (answer int64, err error) {
	err = sqldb.InTx(ctx, s.db, func(tx *sqldb.Tx) error {
		k, err := readKey(ctx, tx, key)
		switch {
		case errors.Is(err, sql.ErrNoRows): // swept just now: it is free when they come again
			return ErrKeyInFlight
		case err != nil:
			return err
		case k.expired: // somebody else's, long ago
		case !bytes.Equal(k.hash, hash[:]):
			return ErrKeyReused
		case k.answer.Valid:
			answer = k.answer.Int64
			return nil
		case k.inFlight:
			return ErrKeyInFlight
		}
		return retake(ctx, tx, key, hash, inFlight, life)
	})
	return answer, err
}

const (
	insertKey = `INSERT INTO idempotency_keys (client_key, request_hash, in_flight_until, expires_at) VALUES (?, ?, $NOW + ?, $NOW + ?)`
	retakeKey = `UPDATE idempotency_keys SET request_hash = ?, student_id = NULL, in_flight_until = $NOW + ?, expires_at = $NOW + ?
		WHERE client_key = ? AND (expires_at <= $NOW OR student_id IS NULL AND in_flight_until <= $NOW)`
)

// retake gives a key that has lapsed to a new request. Of several, one gets it.
func retake(ctx context.Context, tx *sqldb.Tx, key string, hash [32]byte, inFlight, life int64) error {
	result, err := tx.ExecContext(ctx, tx.SQL(retakeKey), hash[:], inFlight, life, key)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); n == 1 || err != nil {
		return err
	}
	return ErrKeyInFlight
}

// clientKey is a row of idempotency_keys, by the database's clock.
type clientKey struct {
	hash              []byte
	answer            sql.NullInt64
	inFlight, expired bool
}

func readKey(ctx context.Context, tx *sqldb.Tx, key string) (clientKey, error) {
	var k clientKey
	err := tx.QueryRowContext(ctx, tx.SQL(
		`SELECT request_hash, student_id, in_flight_until > $NOW, expires_at <= $NOW FROM idempotency_keys WHERE client_key = ?`), key).
		Scan(&k.hash, &k.answer, &k.inFlight, &k.expired)
	return k, err
}

// Settle implements [Store].
func (s *SQLStore) Settle(ctx context.Context, key string, answer int64) error {
	err := sqldb.Exec(ctx, s.db,
		`UPDATE idempotency_keys SET student_id = ?, in_flight_until = 0 WHERE client_key = ?`,
		sql.NullInt64{Int64: answer, Valid: answer != 0}, key)
	if err != nil {
		return fmt.Errorf("settle idempotency key: %w", err)
	}
	return nil
}

// dropExpiredKeys deletes keys whose life is over.
func (s *SQLStore) dropExpiredKeys(ctx context.Context) error {
	err := sqldb.Purge(ctx, s.db,
		`SELECT client_key FROM idempotency_keys WHERE expires_at <= $NOW ORDER BY expires_at LIMIT ?`,
		`DELETE FROM idempotency_keys WHERE client_key IN ($IDS)`)
	if err != nil {
		return fmt.Errorf("drop expired idempotency keys: %w", err)
	}
	return nil
}
