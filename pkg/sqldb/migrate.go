package sqldb

import (
	"context"
	"database/sql"
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
	options := []goose.ProviderOption{goose.WithTableName(table), goose.WithDisableGlobalRegistry(true)}
	if db.Dialect == MariaDB {
		dialect = goose.DialectMySQL
		options = append(options, goose.WithSessionLocker(namedLock(table)))
	}
	provider, err := goose.NewProvider(dialect, db.DB, fsys, options...)
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

// namedLock is a lock of MariaDB's that belongs to a connection: it ends with
// the connection, so a replica that dies while it migrates holds up nobody. Its
// name counts for the whole server, hence the schema's hash in it.
type namedLock string

// lockWait is shorter than the time for which a read may last.
const lockWait = 10 * time.Second

// SessionLock waits for the lock until ctx ends.
func (l namedLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var got sql.NullInt64
		err := conn.QueryRowContext(ctx, `SELECT GET_LOCK(CONCAT(?, '.', MD5(DATABASE())), ?)`, l.name(), lockWait.Seconds()).Scan(&got)
		if err != nil {
			return fmt.Errorf("lock migrations: %w", err)
		}
		if got.Int64 == 1 {
			return nil
		}
		if !got.Valid {
			return errors.New("lock migrations: the server failed to make the lock")
		}
	}
}

// SessionUnlock gives the lock back.
func (l namedLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `DO RELEASE_LOCK(CONCAT(?, '.', MD5(DATABASE())))`, l.name())
	if err != nil {
		return fmt.Errorf("unlock migrations: %w", err)
	}
	return nil
}

// name keeps the whole within MariaDB's 64 characters.
func (l namedLock) name() string { return string(l)[:min(len(l), 31)] }
