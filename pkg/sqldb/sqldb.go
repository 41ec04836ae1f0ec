// Package sqldb opens the SQL database of a service, in one of two dialects:
// MariaDB for the deployed suite and SQLite for the suite in one process.
//
// [Open] connects lazily, so a service may start before its database. [Migrate]
// waits for the database and brings the tables up to date while other replicas
// do the same. [InTx] runs a transaction and repeats it when the database chose
// it as the victim of a deadlock.
//
// Queries are written once for both dialects. Two rules make that possible:
// times are BIGINT columns of milliseconds since 1970 UTC, and "now" is the
// database's own clock, which [Dialect.SQL] writes for $NOW, so replicas need
// not agree on the time.
//
// Not promised: that a transaction whose commit was cut off did not happen. The
// caller cannot know and must be able to repeat it.
package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Dialect is the kind of a database. Its string names the folder of its
// migrations.
type Dialect string

// The dialects.
const (
	MariaDB Dialect = "mariadb"
	SQLite  Dialect = "sqlite"
)

// SQL returns query with every $NOW replaced by the dialect's expression for
// the present time in milliseconds since 1970 UTC.
func (d Dialect) SQL(query string) string {
	now := "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
	if d == SQLite {
		now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
	}
	return strings.ReplaceAll(query, "$NOW", now)
}

// DB is a pool of connections to a database of a known dialect.
type DB struct {
	*sql.DB
	Dialect
}

// Tx is a transaction on a database of a known dialect.
type Tx struct {
	*sql.Tx
	Dialect
	committed []func()
}

// Open returns a pool for dsn without connecting. "sqlite:PATH" is an SQLite
// file, whose driver the program must have imported; everything else is a DSN
// of go-sql-driver/mysql. An error never holds the DSN, which has a password.
func Open(dsn string) (*DB, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return openSQLite(path)
	}
	return openMariaDB(dsn)
}

// Ready returns nil when the database answers.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("ping %s: %w", db.Dialect, err)
	}
	return nil
}
