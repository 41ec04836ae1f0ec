package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"matriq/pkg/sqldb"
	"matriq/pkg/sqldb/sqldbtest"
	"matriq/pkg/testenv"
)

// folder has the migrations of the tests: a table things with rows a and b.
func folder(name string) fs.FS { return os.DirFS("testdata/" + name) }

func migrated(t *testing.T, dsn string) *sqldb.DB {
	t.Helper()
	db := sqldbtest.Open(t, dsn)
	if err := sqldb.Migrate(t.Context(), db, folder("."), "goose_things"); err != nil {
		t.Fatal(err)
	}
	return db
}

func number(t *testing.T, db *sqldb.DB, query string) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRowContext(t.Context(), db.SQL(query)).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string][3]string{
		"student:pa:ss@tcp(db:3306)/x": {"db", "student", "pa:ss"},
		"student@tcp(db)/x":            {"db", "student", ""},
		"root:r@tcp([::1]:3306)/x":     {"::1", "root", "r"},
		"student@unix(/run/db.sock)/x": {},
		"sqlite:/tmp/a.db":             {},
		"no DSN":                       {},
	} {
		host, user, password, ok := sqldb.Login(dsn)
		if got := [3]string{host, user, password}; got != want || ok != (host != "") {
			t.Errorf("%s: %q, %v; want %q", dsn, got, ok, want)
		}
	}
}

func TestOpen_RefusesADSNThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"empty":            "",
		"url":              "mysql://root:geheim@localhost/x",
		"no database":      "root:geheim@tcp(localhost:3306)/",
		"sqlite in memory": "sqlite::memory:",
		"sqlite, no path":  "sqlite:",
		"sqlite, query":    "sqlite:a.db?mode=ro",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqldb.Open(dsn)
			if err == nil {
				t.Fatalf("Open gave %v, want an error", db.Dialect)
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// Replicas start together: each migration is applied once, and all go on.
func TestMigrate_ByReplicasAtOnce(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		errs := make(chan error, 8)
		for range cap(errs) {
			db := sqldbtest.Open(t, dsn)
			go func() { errs <- sqldb.Migrate(t.Context(), db, folder("."), "goose_things") }()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if got := number(t, sqldbtest.Open(t, dsn), `SELECT COUNT(*) FROM things`); got != 2 {
			t.Errorf("%d rows, want the 2 of one run", got)
		}
	})
}

// A replica that died while it held the lock must not hold up the next one.
func TestMigrate_LockEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := sqldbtest.Open(t, dsn)
		if db.Dialect == sqldb.SQLite {
			t.Log("SQLite has no such lock; the run alone must succeed")
		} else {
			dead := sqldbtest.Open(t, dsn)
			conn, err := dead.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got int
			err = conn.QueryRowContext(t.Context(), `SELECT GET_LOCK(CONCAT('goose_things', '.', MD5(DATABASE())), 0)`).Scan(&got)
			if err != nil || got != 1 {
				t.Fatalf("GET_LOCK = %d, %v", got, err)
			}
			id := number(t, db, `SELECT IS_USED_LOCK(CONCAT('goose_things', '.', MD5(DATABASE())))`)
			done := make(chan error, 1)
			go func() { done <- sqldb.Migrate(t.Context(), db, folder("."), "goose_things") }()
			// It waits: the lock is its first statement, and shows in the process list.
			waitFor(t, func() bool {
				return number(t, db, `SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE = 'User lock'`) == 1
			})
			if _, err := db.ExecContext(t.Context(), fmt.Sprintf("KILL CONNECTION %d", id)); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		migrated(t, dsn)
	})
}

func TestMigrate_ReportsABrokenMigration(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		err := sqldb.Migrate(t.Context(), sqldbtest.Open(t, dsn), folder("broken"), "goose_broken")
		if err == nil || !strings.Contains(err.Error(), "00001_broken.sql") {
			t.Errorf("err = %v, want one that names the file", err)
		}
	})
}

// A database that is not up yet is asked again and again, until ctx ends.
func TestMigrate_WaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	db := sqldbtest.Open(t, "u:p@tcp("+listener.Addr().String()+")/x")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sqldb.Migrate(ctx, db, folder("."), "goose_things") }()
	for range 5 { // hung up on five times, it comes again
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	if err := listener.Close(); err != nil { // from now on: connection refused
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("gave up: %v", err)
	default:
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("Migrate returned nil without a database")
	}
}

func TestIsDuplicate(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		_, byName := db.ExecContext(t.Context(), `INSERT INTO things (name, n) VALUES ('a', 1)`)
		_, byID := db.ExecContext(t.Context(), `INSERT INTO things (id, name, n) VALUES (1, 'c', 1)`)
		_, other := db.ExecContext(t.Context(), `INSERT INTO nothing (id) VALUES (1)`)
		for _, err := range []error{byName, fmt.Errorf("wrapped: %w", byID)} {
			if !sqldb.IsDuplicate(err) {
				t.Errorf("IsDuplicate(%v) = false", err)
			}
		}
		for _, err := range []error{nil, other, errors.New("duplicate")} {
			if sqldb.IsDuplicate(err) {
				t.Errorf("IsDuplicate(%v) = true", err)
			}
		}
	})
}

func TestIsDown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&net.OpError{Op: "dial", Err: errors.New("connection refused")},
		mysql.ErrInvalidConn,
		&mysql.MySQLError{Number: 1053},
		fmt.Errorf("insert: %w", &mysql.MySQLError{Number: 1213}),
	} {
		if !sqldb.IsDown(err) {
			t.Errorf("IsDown(%v) = false", err)
		}
	}
	for _, err := range []error{nil, errors.New("x"), context.Canceled, &mysql.MySQLError{Number: 1146}} {
		if sqldb.IsDown(err) {
			t.Errorf("IsDown(%v) = true", err)
		}
	}
}

func TestInTx_RollsBack(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		broken := errors.New("broken")
		err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
			if _, err := tx.ExecContext(t.Context(), `UPDATE things SET n = 7`); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("err = %v, want the error of fn", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
				if _, err := tx.ExecContext(t.Context(), `UPDATE things SET n = 7`); err != nil {
					t.Error(err)
				}
				panic("fn")
			})
		}()
		if got := number(t, db, `SELECT SUM(n) FROM things`); got != 0 {
			t.Errorf("sum = %d, want 0: nothing was committed", got)
		}
	})
}

// What is to follow a commit follows it, once, and no rollback.
func TestTx_OnCommit(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		var followed []int64
		for _, want := range []error{nil, errors.New("broken")} {
			err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
				tx.OnCommit(func() { followed = append(followed, number(t, db, `SELECT SUM(n) FROM things`)) })
				if _, err := tx.ExecContext(t.Context(), `UPDATE things SET n = 7 WHERE id = 1`); err != nil {
					return err
				}
				return want
			})
			if !errors.Is(err, want) {
				t.Errorf("err = %v, want %v", err, want)
			}
		}
		if got := fmt.Sprint(followed); got != "[7]" {
			t.Errorf("what followed saw %s, want the 7 of the commit and nothing more", got)
		}
	})
}

// Transactions that lock two rows in opposite orders deadlock on MariaDB. None
// may fail, and none may be lost or doubled.
func TestInTx_RepeatsTheVictimOfADeadlock(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const pairs = 10
		db := migrated(t, dsn)
		var runs sync.WaitGroup
		var mu sync.Mutex
		tries := 0
		for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
			for range pairs {
				runs.Go(func() {
					err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
						mu.Lock()
						tries++
						mu.Unlock()
						for _, name := range order {
							if _, err := tx.ExecContext(t.Context(), `UPDATE things SET n = n + 1 WHERE name = ?`, name); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		runs.Wait()
		t.Logf("%d transactions took %d tries", 2*pairs, tries)
		if got := number(t, db, `SELECT SUM(n) FROM things`); got != 4*pairs {
			t.Errorf("sum = %d, want %d", got, 4*pairs)
		}
	})
}

// A deadlock that is made on purpose, so that the test above is not luck.
func TestInTx_SurvivesACertainDeadlock(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		if db.Dialect == sqldb.SQLite {
			t.Log("one writer at a time: the two below run one after the other")
		}
		var both sync.WaitGroup
		meet := newMeeting()
		var mu sync.Mutex
		tries := 0
		for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
			both.Go(func() {
				err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
					mu.Lock()
					tries++
					mu.Unlock()
					if err := bump(t.Context(), tx, order[0]); err != nil {
						return err
					}
					if db.Dialect == sqldb.MariaDB {
						meet.wait()
					}
					return bump(t.Context(), tx, order[1])
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if got := number(t, db, `SELECT SUM(n) FROM things`); got != 4 {
			t.Errorf("sum = %d, want 4", got)
		}
		if db.Dialect == sqldb.MariaDB && tries < 3 {
			t.Errorf("%d tries: there was no deadlock", tries)
		}
	})
}

// A statement that waits for what a transaction holds, and holds what that wants. The
// transaction has changed more, so that MariaDB gives the statement up.
func TestExec_RepeatsTheVictimOfADeadlock(t *testing.T) {
	t.Parallel()
	db := migrated(t, testenv.MariaDB(t))
	for n := range 100 {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO things (name, n) VALUES (?, 0)`, fmt.Sprintf("c%02d", n)); err != nil {
			t.Fatal(err)
		}
	}
	before := deadlocks(t, db)
	done := make(chan error, 1)
	err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `UPDATE things SET n = n + 1 WHERE name > 'a'`); err != nil {
			return err
		}
		go func() {
			done <- sqldb.Exec(t.Context(), db, `UPDATE things SET n = n + 1 WHERE name IN ('a', 'b') ORDER BY name`)
		}()
		asked := time.Now() // MariaDB tells anew only when it was not asked for 100 ms
		waitFor(t, func() bool {
			if time.Since(asked) < 150*time.Millisecond {
				return false
			}
			asked = time.Now()
			return number(t, db, `SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%ORDER BY name'`) == 1
		})
		return bump(t.Context(), tx, "a")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the statement: %v", err)
	}
	if got := number(t, db, `SELECT n FROM things WHERE name = 'a'`); got != 2 {
		t.Errorf("a is %d, want 2: by each once", got)
	}
	if deadlocks(t, db) == before {
		t.Error("there was no deadlock")
	}
}

func deadlocks(t *testing.T, db *sqldb.DB) int64 {
	t.Helper()
	return number(t, db, `SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'`)
}

// On SQLite a transaction has its turn before it reads, so that what it read
// still holds when it writes, at the first try.
func TestInTx_SQLiteReadsInItsTurn(t *testing.T) {
	t.Parallel()
	const runs = 20
	db := migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	var running sync.WaitGroup
	var tries atomic.Int64
	for range runs {
		running.Go(func() {
			err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
				tries.Add(1)
				var n int64
				if err := tx.QueryRowContext(t.Context(), `SELECT n FROM things WHERE name = 'a'`).Scan(&n); err != nil {
					return err
				}
				_, err := tx.ExecContext(t.Context(), `UPDATE things SET n = ? WHERE name = 'a'`, n+1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if got := number(t, db, `SELECT n FROM things WHERE name = 'a'`); got != runs || tries.Load() != runs {
		t.Errorf("n = %d after %d tries, want %d and %d", got, tries.Load(), runs, runs)
	}
}

func bump(ctx context.Context, tx *sqldb.Tx, name string) error {
	_, err := tx.ExecContext(ctx, `UPDATE things SET n = n + 1 WHERE name = ?`, name)
	return err
}

// meeting lets the first two callers go on together, later ones at once.
type meeting struct {
	arrived chan struct{}
	both    chan struct{}
}

func newMeeting() *meeting {
	return &meeting{arrived: make(chan struct{}, 1), both: make(chan struct{})}
}

func (m *meeting) wait() {
	select {
	case <-m.both:
		return
	default:
	}
	select {
	case m.arrived <- struct{}{}:
	default:
		close(m.both)
	}
	<-m.both
}

func TestDialect_NowIsTheTime(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		got := time.UnixMilli(number(t, sqldbtest.Open(t, dsn), `SELECT $NOW`))
		if d := time.Since(got).Abs(); d > 5*time.Second {
			t.Errorf("$NOW is %v, off by %v", got, d)
		}
	})
}

// A transaction on MariaDB sees what others have committed since it began.
func TestInTx_ReadsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	db := migrated(t, testenv.MariaDB(t))
	err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
		count := func() (n int, err error) {
			return n, tx.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM things`).Scan(&n)
		}
		before, err := count()
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(t.Context(), `INSERT INTO things (name, n) VALUES ('d', 4)`); err != nil {
			return err
		}
		after, err := count()
		if after != before+1 {
			t.Errorf("%d things, then %d, want one more", before, after)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The session must refuse what would be stored as something else.
func TestOpen_IsStrict(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		if _, err := db.ExecContext(t.Context(), `INSERT INTO things (name, n) VALUES ('d', 'seven')`); err == nil {
			t.Error("a word was stored as a number")
		}
		name := "กันต์ 🎓"
		if _, err := db.ExecContext(t.Context(), `INSERT INTO things (name, n) VALUES (?, 1)`, name); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := db.QueryRowContext(t.Context(), `SELECT name FROM things WHERE n = 1`).Scan(&got); err != nil || got != name {
			t.Errorf("stored %q, got %q, %v", name, got, err)
		}
	})
}

// waitFor polls until cond holds, with a deadline that fails the test.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatal("waited 20 s in vain")
		case <-tick.C:
		}
	}
}
