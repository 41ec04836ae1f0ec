package enroll

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"time"

	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
)

//go:embed migrations
var migrations embed.FS

// SQLStore is a [Store] on MariaDB or SQLite.
type SQLStore struct {
	db   *sqldb.DB
	log  *slog.Logger
	keep time.Duration
}

// NewSQLStore returns the store in db, which knows the keys of casts for the
// time keep; zero: 30 days.
func NewSQLStore(db *sqldb.DB, keep time.Duration, log *slog.Logger) *SQLStore {
	return &SQLStore{db: db, keep: keep, log: log}
}

// Ready implements [Store].
func (s *SQLStore) Ready(ctx context.Context) error { return s.db.Ready(ctx) }

// Migrate implements [Store].
func (s *SQLStore) Migrate(ctx context.Context) error {
	if err := outbox.Migrate(ctx, s.db); err != nil {
		return err
	}
	return sqldb.Migrate(ctx, s.db, migrations, "goose_enroll")
}

// Insert implements [Store].
func (s *SQLStore) Insert(ctx context.Context, key string, e Enrolment) (time.Time, bool, error) {
	var created bool
	at, first, err := outbox.Once(ctx, s.db, key, func(tx *sqldb.Tx) (at int64, err error) {
		if created, err = create(ctx, tx, e); err != nil {
			return 0, err
		}
		err = tx.QueryRowContext(ctx, `SELECT enrolled_at FROM enrolments WHERE student_id = ?`, e.StudentID).Scan(&at)
		return at, err
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("insert enrolment: %w", err)
	}
	return time.UnixMilli(at).UTC(), first && created, nil
}

// create adds an enrolment. The primary key, not a prior read, decides which is
// the student's first.
func create(ctx context.Context, tx *sqldb.Tx, e Enrolment) (created bool, err error) {
	_, err = tx.ExecContext(ctx, tx.SQL(
		`INSERT INTO enrolments (student_id, firstname, lastname, enrolled_at) VALUES (?, ?, ?, $NOW)`),
		e.StudentID, e.Firstname, e.Lastname)
	if sqldb.IsDuplicate(err) {
		return false, nil
	}
	return err == nil, err
}

// Sweep implements [Store].
func (s *SQLStore) Sweep(ctx context.Context) error {
	return outbox.Sweep(ctx, s.db, s.log, outbox.Retention{Keys: s.keep})
}
