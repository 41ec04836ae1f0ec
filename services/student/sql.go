package student

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
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
	db            *sqldb.DB
	box           *outbox.Outbox
	log           *slog.Logger
	keep          Keep
	registrations *group.Group[*registering]
	done          *group.Group[[]Finished]
}

// Keep are the settings of what the store keeps, and for how long.
type Keep struct {
	FirstID  int64         `env:"STUDENT_ID_FIRST" envDefault:"69000001" desc:"ID of the first student"`
	KeyLife  time.Duration `env:"IDEMPOTENCY_KEY_LIFE" envDefault:"24h" desc:"how long a client's Idempotency-Key gives the same answer"`
	InFlight time.Duration `env:"IDEMPOTENCY_IN_FLIGHT" envDefault:"15s" desc:"how long a request under an Idempotency-Key may stay unanswered before a repeat is let in"`
	Casts    time.Duration `env:"OUTBOX_KEEP" envDefault:"168h" desc:"how long casts are kept after they were done"`
	Inbox    time.Duration `env:"INBOX_KEEP" envDefault:"720h" desc:"how long keys of messages are kept that versions before this one noted"`
}

// NewSQLStore returns the store in db, whose casts go through box.
func NewSQLStore(db *sqldb.DB, box *outbox.Outbox, keep Keep, log *slog.Logger) *SQLStore {
	s := &SQLStore{db: db, box: box, keep: keep, log: log}
	s.registrations = group.New(registerPace, rpc.DefaultPrefetch, s.registerAll)
	s.done = group.New(finishPace, rpc.DefaultPrefetch, s.finishAll)
	return s
}

// Ready implements [Store].
func (s *SQLStore) Ready(ctx context.Context) error { return s.db.Ready(ctx) }

// Migrate implements [Store].
func (s *SQLStore) Migrate(ctx context.Context) error {
	if err := outbox.Migrate(ctx, s.db); err != nil {
		return err
	}
	if err := sqldb.Migrate(ctx, s.db, migrations, "goose_student"); err != nil {
		return err
	}
	return s.raiseFirstID(ctx)
}

// raiseFirstID makes the next ID the first one, unless students have it or
// higher ones. Both dialects number on from the highest ID that ever was there,
// so a row is written just before the first one and deleted again.
func (s *SQLStore) raiseFirstID(ctx context.Context) error {
	before := s.keep.FirstID - 1
	err := sqldb.InTx(ctx, s.db, func(tx *sqldb.Tx) error {
		var highest int64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM students`).Scan(&highest); err != nil {
			return err
		}
		if highest >= before {
			return nil
		}
		_, err := tx.ExecContext(ctx,
			`INSERT INTO students (id, email, firstname, lastname, registered_at) VALUES (?, '', '', '', 0)`, before)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM students WHERE id = ?`, before)
		return err
	})
	if err != nil {
		return fmt.Errorf("set first student ID: %w", err)
	}
	return nil
}

// Progress implements [Store].
func (s *SQLStore) Progress(ctx context.Context, id int64) (Progress, error) {
	var registered int64
	var enrolled, emailed sql.NullInt64
	err := s.db.QueryRowContext(ctx,
		`SELECT registered_at, enrolled_at, emailed_at FROM students WHERE id = ?`, id).Scan(&registered, &enrolled, &emailed)
	if errors.Is(err, sql.ErrNoRows) {
		return Progress{}, ErrNoStudent
	}
	if err != nil {
		return Progress{}, fmt.Errorf("read progress: %w", err)
	}
	return Progress{Registered: time.UnixMilli(registered).UTC(), Enrolled: timeOf(enrolled), Emailed: timeOf(emailed)}, nil
}

func timeOf(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	return new(time.UnixMilli(ms.Int64).UTC())
}

// Sweep implements [Store].
func (s *SQLStore) Sweep(ctx context.Context) error {
	return outbox.Sweep(ctx, s.db, s.log, outbox.Retention{Casts: s.keep.Casts, Keys: s.keep.Inbox}, s.dropExpiredKeys)
}
