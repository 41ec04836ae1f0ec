package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// Waits between two attempts to reach a database that is not up.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// On SQLite, which has no lock that outlives a transaction, [Migrate] starts
// again this often: of two that run at once, one finds the other's tables,
// fails, and finds everything done the next time.
const (
	sqliteRuns = 10
	sqliteWait = 20 * time.Millisecond
)

// Migrate applies the migrations that fsys has under migrations/mariadb and
// migrations/sqlite; table keeps which were applied. While the database is
// down it waits, until ctx ends. Replicas may all call it at once.
//
// MariaDB commits every CREATE and ALTER at once, so its migrations must bear
// being run again after a process died half-way: one statement each, or IF NOT
// EXISTS.
func Migrate(ctx context.Context, db *DB, fsys fs.FS, table string) error {
	sub, err := fs.Sub(fsys, "migrations/"+string(db.Dialect))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", table, err)
	}
	wait, longest, runs := firstWait, lastWait, 0
	if db.Dialect == SQLite {
		wait, longest, runs = sqliteWait, sqliteWait, sqliteRuns
	}
	for {
		err := migrate(ctx, db, sub, table)
		runs--
		if err == nil || runs < 1 && !IsDown(err) || !pause(ctx, wait) {
			return err
		}
		wait = min(2*wait, longest)
	}
}

func migrate(ctx context.Context, db *DB, fsys fs.FS, table string) error {
	dialect := goose.DialectSQLite3
	if db.Dialect == MariaDB {
		dialect = goose.DialectMySQL
		unlock, err := lock(ctx, db, table)
		if err != nil {
			return fmt.Errorf("lock migrations of %s: %w", table, err)
		}
		defer unlock()
	}
	provider, err := goose.NewProvider(dialect, db.DB, fsys, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", table, err)
	}
	_, err = provider.Up(ctx)
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		return fmt.Errorf("migrate %s: %s: %w", table, partial.Failed.Source.Path, partial.Err)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", table, err)
	}
	return nil
}

// lockWait is shorter than the time for which a read may last.
const lockWait = 10 * time.Second

// lock waits for MariaDB's lock on the migrations of table, until ctx ends. The
// lock belongs to a connection and ends with it, so a replica that dies while it
// migrates holds up nobody. Its name counts for the whole server, hence the
// schema's hash in it.
//
// It is taken around all that goose does: goose looks at its table before it
// takes a lock of its own, and fails on one that another replica is making.
func lock(ctx context.Context, db *DB, table string) (unlock func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	unlock = func() {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
	}
	for {
		var got sql.NullInt64
		err := conn.QueryRowContext(ctx, `SELECT GET_LOCK(CONCAT(?, '.', MD5(DATABASE())), ?)`,
			table[:min(len(table), 31)], lockWait.Seconds()).Scan(&got) // 64 characters in all
		switch {
		case err != nil:
			unlock()
			return nil, err
		case got.Int64 == 1:
			return unlock, nil
		case !got.Valid:
			unlock()
			return nil, errors.New("the server failed to make the lock")
		}
	}
}
