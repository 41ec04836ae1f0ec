package sqldb

import (
	"database/sql/driver"
	"errors"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"
)

// Error numbers of MariaDB.
const (
	mariaDuplicate   = 1062
	mariaDeadlock    = 1213
	mariaLockTimeout = 1205
)

// mariaDown are MariaDB's ways to say that it cannot serve just now: too many
// connections, shutting down, read-only after a failover, not yet in its
// cluster, connection killed.
var mariaDown = []uint16{1040, 1203, 1053, 1290, 1836, 1047, 1927}

// Result codes of SQLite; an extended code has the primary one in its low byte.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteUnique     = 2067
	sqlitePrimaryKey = 1555
)

// IsDuplicate reports whether err says that a unique index already has the row.
func IsDuplicate(err error) bool {
	code, sqlite := sqliteCode(err)
	return mariaNumber(err) == mariaDuplicate || sqlite && (code == sqliteUnique || code == sqlitePrimaryKey)
}

// IsDown reports whether err says that the database cannot be reached or cannot
// serve just now, so that the same may succeed later.
func IsDown(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || isConflict(err) {
		return true
	}
	if _, network := errors.AsType[net.Error](err); network {
		return true
	}
	return slices.Contains(mariaDown, mariaNumber(err))
}

// isConflict reports whether the database gave up a transaction for the sake of
// another one.
func isConflict(err error) bool {
	if n := mariaNumber(err); n == mariaDeadlock || n == mariaLockTimeout {
		return true
	}
	code, sqlite := sqliteCode(err)
	return sqlite && (code&0xff == sqliteBusy || code&0xff == sqliteLocked)
}

func mariaNumber(err error) uint16 {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// sqliteError is what modernc.org/sqlite's errors look like from here; services
// do not link that driver.
type sqliteError interface {
	error
	Code() int
}

func sqliteCode(err error) (int, bool) {
	if e, ok := errors.AsType[sqliteError](err); ok {
		return e.Code(), true
	}
	return 0, false
}
