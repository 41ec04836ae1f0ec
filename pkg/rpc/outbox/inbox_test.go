package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
	"matriq/pkg/sqldb/sqldbtest"
)

type receipt struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
}

// effects is a database with a table in which each effect leaves a row.
func effects(t *testing.T, dsn string) *sqldb.DB {
	t.Helper()
	db := migrated(t, dsn)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE IF NOT EXISTS effects (n BIGINT)`); err != nil {
		t.Fatal(err)
	}
	return db
}

func effect(ctx context.Context, r receipt) func(*sqldb.Tx) (receipt, error) {
	return func(tx *sqldb.Tx) (receipt, error) {
		_, err := tx.ExecContext(ctx, `INSERT INTO effects (n) VALUES (?)`, r.Number)
		return r, err
	}
}

func TestOnce_RepeatGetsTheFirstResult(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := effects(t, dsn)
		want := receipt{Number: 1, Name: "สมหญิง"}
		for i := range 3 {
			got, first, err := outbox.Once(t.Context(), db, "k", effect(t.Context(), receipt{Number: 1 + i, Name: want.Name}))
			if err != nil || got != want || first != (i == 0) {
				t.Errorf("time %d: %+v, first %v, %v; want %+v", i, got, first, err, want)
			}
		}
		if n := number(t, db, `SELECT COUNT(*) FROM effects`); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
	})
}

// Keys are compared byte by byte.
func TestOnce_KeysAreExact(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := effects(t, dsn)
		keys := []string{"a", "A", "á", "a ", " a", "a\x00", "K", "\u212a", strings.Repeat("k", 512)}
		for i, key := range keys {
			_, first, err := outbox.Once(t.Context(), db, key, effect(t.Context(), receipt{Number: i}))
			if err != nil || !first {
				t.Errorf("%q: first %v, %v", key, first, err)
			}
		}
		if n := number(t, db, `SELECT COUNT(*) FROM effects`); n != int64(len(keys)) {
			t.Errorf("%d effects for %d keys", n, len(keys))
		}
		for _, key := range []string{"", strings.Repeat("k", 513)} {
			_, _, err := outbox.Once(t.Context(), db, key, effect(t.Context(), receipt{}))
			if rpc.CodeOf(err) != rpc.InvalidArgument {
				t.Errorf("key of %d bytes: %v", len(key), err)
			}
		}
	})
}

func TestOnce_FailureLeavesTheKeyFree(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := effects(t, dsn)
		_, first, err := outbox.Once(t.Context(), db, "k", func(tx *sqldb.Tx) (receipt, error) {
			r, err := effect(t.Context(), receipt{Number: 1})(tx)
			return r, errors.Join(err, errBroken)
		})
		if !errors.Is(err, errBroken) || first {
			t.Fatalf("first %v, err %v, want the error of fn", first, err)
		}
		got, first, err := outbox.Once(t.Context(), db, "k", effect(t.Context(), receipt{Number: 2}))
		if err != nil || !first || got.Number != 2 {
			t.Errorf("%+v, first %v, %v; want a fresh run", got, first, err)
		}
		if n := number(t, db, `SELECT SUM(n) FROM effects`); n != 2 {
			t.Errorf("effects sum to %d, want 2: the first was rolled back", n)
		}
	})
}

// However many race for a key from two replicas, one runs and all get its result.
func TestOnce_UnderRace(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const racers = 50
		pools := []*sqldb.DB{effects(t, dsn), sqldbtest.Open(t, dsn)}
		var (
			racing sync.WaitGroup
			mu     sync.Mutex
			got    = map[receipt]int{}
			firsts int
		)
		for i := range racers {
			racing.Go(func() {
				r, first, err := outbox.Once(t.Context(), pools[i%2], "k", effect(t.Context(), receipt{Number: i}))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[r]++
				if first {
					firsts++
				}
			})
		}
		racing.Wait()
		if len(got) != 1 || firsts != 1 {
			t.Errorf("%d different results, %d firsts; want 1 and 1", len(got), firsts)
		}
		if n := number(t, pools[0], `SELECT COUNT(*) FROM effects`); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
	})
}

// When the first of many fails, another one takes its place and the rest wait
// for that. On MariaDB the waiting ones deadlock and are repeated.
func TestOnce_RaceWithFailures(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := effects(t, dsn)
		var (
			racing sync.WaitGroup
			mu     sync.Mutex
			runs   int
			done   int
		)
		for range 30 {
			racing.Go(func() {
				_, _, err := outbox.Once(t.Context(), db, "k", func(tx *sqldb.Tx) (receipt, error) {
					r, err := effect(t.Context(), receipt{Number: 1})(tx)
					mu.Lock()
					defer mu.Unlock()
					if runs++; runs <= 3 && err == nil {
						err = errBroken
					}
					return r, err
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
				} else if !errors.Is(err, errBroken) {
					t.Error(err)
				}
			})
		}
		racing.Wait()
		if n := number(t, db, `SELECT COUNT(*) FROM effects`); n != 1 || done != 27 {
			t.Errorf("%d effects, %d of 30 succeeded; want 1 and 27", n, done)
		}
	})
}

// What is old and done goes, in batches; what is young or open stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const old = 1200 // more than two batches
		db := effects(t, dsn)
		box := outbox.New(db, patient())
		enqueue(t, db, box, "old", message(t, greet, "x"), message(t, wave, "x"))
		enqueue(t, db, box, "young", message(t, greet, "x"))
		closeKey(t, db, box, "old/greeter.greet")
		closeKey(t, db, box, "young/greeter.greet")
		day := (24 * time.Hour).Milliseconds()
		exec(t, db, `UPDATE outbox SET closed_at = closed_at - ? WHERE cast_key = 'old/greeter.greet'`, 8*day)
		if err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
			for i := range old {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO inbox (message_key, result, done_at) VALUES (?, ?, ?)`,
					fmt.Sprintf("key %d", i), []byte("1"), time.Now().UnixMilli()-31*day)
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := outbox.Once(t.Context(), db, "young", effect(t.Context(), receipt{})); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- outbox.Sweep(ctx, db, slog.New(slog.DiscardHandler), outbox.Retention{}) }()
		until(t, "the sweep", func() bool {
			return number(t, db, `SELECT COUNT(*) FROM inbox`) == 1 && number(t, db, `SELECT COUNT(*) FROM outbox`) == 2
		})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE cast_key = 'old/greeter.wave'`); n != 1 {
			t.Error("an open cast was swept")
		}
	})
}

func exec(t *testing.T, db *sqldb.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
