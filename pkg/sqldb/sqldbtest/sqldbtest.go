// Package sqldbtest runs a test on both dialects of [sqldb]: an SQLite file and
// a schema of a real MariaDB, each the test's own.
package sqldbtest

import (
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver of sqlite: DSNs

	"matriq/pkg/sqldb"
	"matriq/pkg/testenv"
)

// Each runs test as a parallel subtest on each dialect, with the DSN of an empty
// database.
func Each(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		test(t, testenv.MariaDB(t))
	})
}

// Open opens a pool that is closed when the test ends. Opened twice, a DSN gives
// two replicas.
func Open(t *testing.T, dsn string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}
