package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// sqliteConns is enough for readers to pass a writer, which WAL allows.
const sqliteConns = 8

// sqliteParams are the settings of modernc.org/sqlite for every connection. A
// transaction takes the write lock at its beginning and waits for it: one that
// began as a reader could not wait, and would fail as busy.
var sqliteParams = strings.Join([]string{
	"_txlock=immediate",
	"_pragma=busy_timeout(10000)",
	"_pragma=journal_mode(WAL)",
	"_pragma=synchronous(FULL)",
	"_pragma=foreign_keys(1)",
}, "&")

func openSQLite(path string) (*DB, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("sqlite: give the path of a file; a database in memory would be another one for each connection")
	}
	if strings.ContainsAny(path, "?#") {
		return nil, errors.New("sqlite: the path of the file must not have ? or #")
	}
	db, err := sql.Open("sqlite", path+"?"+sqliteParams)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db.SetMaxOpenConns(sqliteConns)
	db.SetMaxIdleConns(sqliteConns)
	return &DB{DB: db, Dialect: SQLite}, nil
}
