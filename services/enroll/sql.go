package enroll

import (
	"context"
	"embed"
	"log/slog"
	"time"

	"matriq/pkg/group"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
)

//go:embed migrations
var migrations embed.FS

// SQLStore is a [Store] on MariaDB or SQLite.
type SQLStore struct {
	db      *sqldb.DB
	log     *slog.Logger
	keep    time.Duration
	records *group.Group[*record]
}

// NewSQLStore returns the store in db. Keys that earlier versions noted there are
// kept for the time keep; zero: 30 days.
func NewSQLStore(db *sqldb.DB, keep time.Duration, log *slog.Logger) *SQLStore {
	s := &SQLStore{db: db, keep: keep, log: log}
	s.records = group.New(pace, rpc.DefaultPrefetch, s.insertAll)
	return s
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

// Sweep implements [Store].
func (s *SQLStore) Sweep(ctx context.Context) error {
	return outbox.Sweep(ctx, s.db, s.log, outbox.Retention{Keys: s.keep})
}
