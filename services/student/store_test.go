package student_test

import (
	"encoding/json"
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
	"matriq/services/student"
)

const firstID = 69000001

func keep() student.Keep {
	return student.Keep{FirstID: firstID, KeyLife: 24 * time.Hour, InFlight: 15 * time.Second}
}

// replica is a store with what lies under it, as one process has it.
type replica struct {
	*student.SQLStore
	db  *sqldb.DB
	box *outbox.Outbox
}

// newReplica opens dsn as one more process would, with the tables in place.
func newReplica(t *testing.T, dsn string) replica {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db := sqldbtest.Open(t, dsn)
	box := outbox.New(db, outbox.Options{Log: log, Poll: 10 * time.Millisecond, Resend: 300 * time.Millisecond, Retry: 20 * time.Millisecond})
	store := student.NewSQLStore(db, box, keep(), log)
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return replica{SQLStore: store, db: db, box: box}
}

func somchai() student.Registration {
	return student.Registration{Email: "somchai@x.th", Mailbox: "Somchai@x.th", Firstname: "สมชาย", Lastname: "O'Brien"}
}

func number(t *testing.T, db *sqldb.DB, query string) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func exec(t *testing.T, db *sqldb.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// The student and the three casts are one; a repeat finds the ID and adds none.
func TestStore_RegisterWritesStudentAndCasts(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		ctx := rpc.WithMeta(t.Context(), rpc.Meta{Language: "th", RequestID: "r-1"})
		id, first, err := store.Register(ctx, somchai())
		if err != nil || id != firstID || !first {
			t.Fatalf("Register = %d, %v, %v; want %d, the first", id, first, err, firstID)
		}
		other := somchai()
		other.Firstname = "สมหญิง"
		if id, first, err := store.Register(ctx, other); err != nil || id != firstID || first {
			t.Errorf("repeat = %d, %v, %v; want the same ID, not the first", id, first, err)
		}
		if n := number(t, store.db, `SELECT COUNT(*) FROM students WHERE firstname = 'สมชาย'`); n != 1 {
			t.Error("the name of the first registration did not stay")
		}
		want := map[string]string{
			"student/69000001/enroll.insert": `[69000001,"สมชาย","O'Brien"]`,
			"student/69000001/email.send":    `[69000001,"สมชาย","O'Brien","Somchai@x.th"]`,
			"student/69000001/otp.retire":    `["somchai@x.th"]`,
		}
		for key, args := range casts(t, store.db) {
			if want[key] != args {
				t.Errorf("cast %s has %s, want %s", key, args, want[key])
			}
			delete(want, key)
		}
		if len(want) > 0 {
			t.Errorf("missing casts: %v", want)
		}
	})
}

// casts returns the arguments of the enqueued casts by their keys.
func casts(t *testing.T, db *sqldb.DB) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT cast_key, body, travels FROM outbox`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var key, travels string
		var body []byte
		var call struct{ Args json.RawMessage }
		if err := rows.Scan(&key, &body, &travels); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &call); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(travels, `"th"`) || !strings.Contains(travels, `"r-1"`) {
			t.Errorf("cast %s goes without the language or the request ID: %s", key, travels)
		}
		found[key] = string(call.Args)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// Fifty registrations of one address race over two replicas: one student, one
// ID, three casts.
func TestStore_RegisterUnderRace(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const racers = 50
		replicas := []replica{newReplica(t, dsn), newReplica(t, dsn)}
		var (
			racing sync.WaitGroup
			mu     sync.Mutex
			ids    = map[int64]int{}
			firsts int
		)
		for i := range racers {
			racing.Go(func() {
				id, first, err := replicas[i%2].Register(t.Context(), somchai())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[id]++
				if first {
					firsts++
				}
			})
		}
		racing.Wait()
		if ids[firstID] != racers || firsts != 1 {
			t.Errorf("IDs %v, %d firsts; want %d once for all", ids, firsts, firstID)
		}
		if n := number(t, replicas[0].db, `SELECT COUNT(*) FROM students`); n != 1 {
			t.Errorf("%d students, want 1", n)
		}
		if n := number(t, replicas[0].db, `SELECT COUNT(*) FROM outbox`); n != 3 {
			t.Errorf("%d casts, want 3", n)
		}
	})
}

// Many people at once: each gets an ID of his own.
func TestStore_RegisterManyAtOnce(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const people = 60
		replicas := []replica{newReplica(t, dsn), newReplica(t, dsn)}
		var racing sync.WaitGroup
		var ids sync.Map
		for i := range people {
			racing.Go(func() {
				r := somchai()
				r.Email = fmt.Sprintf("s%d@x.th", i)
				id, first, err := replicas[i%2].Register(t.Context(), r)
				if _, taken := ids.LoadOrStore(id, true); err != nil || !first || taken || id < firstID {
					t.Errorf("ID %d, first %v, taken %v, %v", id, first, taken, err)
				}
			})
		}
		racing.Wait()
		if n := number(t, replicas[0].db, `SELECT COUNT(DISTINCT student_key) FROM (SELECT SUBSTR(cast_key, 1, 16) AS student_key FROM outbox) AS k`); n != people {
			t.Errorf("casts for %d students, want %d", n, people)
		}
	})
}

// Newcomers who come together with people who are known, and with themselves, each
// get what is theirs.
func TestStore_RegisterAmongTheKnown(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		person := func(i int) student.Registration {
			r := somchai()
			r.Email = fmt.Sprintf("s%d@x.th", i)
			return r
		}
		const people, known, times = 20, 8, 3
		var mu sync.Mutex
		ids, firsts := make([]map[int64]int, people), make([]int, people)
		register := func(i int) {
			id, first, err := store.Register(t.Context(), person(i))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ids[i] == nil {
				ids[i] = map[int64]int{}
			}
			ids[i][id]++
			if first {
				firsts[i]++
			}
		}
		for i := range known {
			register(i)
		}
		var coming sync.WaitGroup
		for range times {
			for i := range people {
				coming.Go(func() { register(i) })
			}
		}
		coming.Wait()
		for i := range people {
			if len(ids[i]) != 1 || firsts[i] != 1 {
				t.Errorf("person %d has the IDs %v and was the first %d times, want one of each", i, ids[i], firsts[i])
			}
		}
		if n := number(t, store.db, `SELECT COUNT(*) FROM outbox`); n != 3*people {
			t.Errorf("%d casts, want %d", n, 3*people)
		}
	})
}

// Who comes back after his casts were swept is still known by his address.
func TestStore_RegisterAfterTheSweep(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		if _, _, err := store.Register(t.Context(), somchai()); err != nil {
			t.Fatal(err)
		}
		exec(t, store.db, `DELETE FROM inbox`)
		exec(t, store.db, `DELETE FROM outbox`)
		id, first, err := store.Register(t.Context(), somchai())
		if err != nil || id != firstID || first {
			t.Errorf("Register = %d, %v, %v; want the old ID", id, first, err)
		}
		if n := number(t, store.db, `SELECT COUNT(*) FROM outbox`); n != 0 {
			t.Errorf("%d casts for a student of old", n)
		}
	})
}

// A registration whose casts cannot be written is none.
func TestStore_RegisterIsOneTransaction(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		// A cast that is in the way makes the last step fail.
		exec(t, store.db, `INSERT INTO outbox (cast_key, target, body, travels, created_at) VALUES ('student/69000001/otp.retire', 'otp.retire', X'7B7D', '{}', 0)`)
		if _, _, err := store.Register(t.Context(), somchai()); err == nil {
			t.Fatal("registered without a cast")
		}
		for _, query := range []string{`SELECT COUNT(*) FROM students`, `SELECT COUNT(*) FROM inbox`} {
			if n := number(t, store.db, query); n != 0 {
				t.Errorf("%s: %d, want none left", query, n)
			}
		}
		exec(t, store.db, `DELETE FROM outbox`)
		if id, first, err := store.Register(t.Context(), somchai()); err != nil || !first || id < firstID {
			t.Errorf("afterwards: %d, %v, %v", id, first, err)
		}
	})
}

// Replicas that start together number from the first ID, and a later, higher
// setting counts from then on.
func TestStore_FirstID(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		var starting sync.WaitGroup
		for range 4 {
			db := sqldbtest.Open(t, dsn)
			log := slog.New(slog.DiscardHandler)
			starting.Go(func() {
				if err := student.NewSQLStore(db, outbox.New(db, outbox.Options{Log: log}), keep(), log).Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		store := newReplica(t, dsn)
		if id, _, err := store.Register(t.Context(), somchai()); err != nil || id != firstID {
			t.Fatalf("first ID %d, %v", id, err)
		}
		later := keep()
		later.FirstID = 70000001
		for range 2 {
			if err := student.NewSQLStore(store.db, store.box, later, slog.New(slog.DiscardHandler)).Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r := somchai()
		r.Email = "other@x.th"
		if id, _, err := store.Register(t.Context(), r); err != nil || id != 70000001 {
			t.Errorf("ID %d, %v; want 70000001", id, err)
		}
	})
}

// Progress tells each step with its time, once it is done, and keeps telling
// when the casts were swept.
func TestStore_Progress(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		if _, err := store.Progress(t.Context(), firstID); !errors.Is(err, student.ErrNoStudent) {
			t.Errorf("before: %v, want ErrNoStudent", err)
		}
		id, _, err := store.Register(t.Context(), somchai())
		if err != nil {
			t.Fatal(err)
		}
		p, err := store.Progress(t.Context(), id)
		if err != nil || time.Since(p.Registered).Abs() > 5*time.Second || p.Enrolled != nil || p.Emailed != nil {
			t.Fatalf("at first: %+v, %v", p, err)
		}
		at := time.UnixMilli(1_800_000_000_123).UTC()
		for i, target := range []string{"enroll.insert", "email.send", "otp.retire"} {
			for _, when := range []time.Time{at.Add(time.Duration(i) * time.Second), at.Add(time.Hour)} { // the repeat is late
				if err := store.Finish(t.Context(), student.Finished{ID: id, Target: target, At: when}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := number(t, store.db, `SELECT COUNT(*) FROM outbox WHERE next_at IS NULL`); n != 3 {
			t.Errorf("%d casts closed, want 3", n)
		}
		exec(t, store.db, `DELETE FROM outbox`)
		p, err = store.Progress(t.Context(), id)
		if err != nil || p.Enrolled == nil || !p.Enrolled.Equal(at) || p.Emailed == nil || !p.Emailed.Equal(at.Add(time.Second)) {
			t.Errorf("at last: %+v, %v", p, err)
		}
		if err := store.Finish(t.Context(), student.Finished{ID: id + 1, Target: "enroll.insert", At: at}); err != nil {
			t.Errorf("an unknown student: %v", err)
		}
	})
}

func TestStore_IdempotencyKeys(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		one, two := [32]byte{1}, [32]byte{2}
		reserve := func(hash [32]byte, answer int64, want error) {
			t.Helper()
			got, err := store.Reserve(t.Context(), "k", hash)
			if got != answer || !errors.Is(err, want) {
				t.Errorf("Reserve = %d, %v; want %d, %v", got, err, answer, want)
			}
		}
		reserve(one, 0, nil)
		reserve(one, 0, student.ErrKeyInFlight)
		reserve(two, 0, student.ErrKeyReused)
		settle(t, store, 0) // it failed
		reserve(two, 0, student.ErrKeyReused)
		reserve(one, 0, nil) // so it may be tried again
		exec(t, store.db, `UPDATE idempotency_keys SET in_flight_until = 1`)
		reserve(one, 0, nil) // its owner died: let in after a while
		settle(t, store, firstID)
		reserve(one, firstID, nil)
		reserve(two, 0, student.ErrKeyReused)
		exec(t, store.db, `UPDATE idempotency_keys SET expires_at = 1`)
		reserve(two, 0, nil) // after 24 hours the key is anybody's
		reserve(two, 0, student.ErrKeyInFlight)
	})
}

func settle(t *testing.T, store student.Store, answer int64) {
	t.Helper()
	if err := store.Settle(t.Context(), "k", answer); err != nil {
		t.Fatal(err)
	}
}

// Of many with one key, one works on it, also when it is taken from the dead.
func TestStore_ReserveUnderRace(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		replicas := []replica{newReplica(t, dsn), newReplica(t, dsn)}
		for range 2 {
			var racing sync.WaitGroup
			var mu sync.Mutex
			owners := 0
			for i := range 20 {
				racing.Go(func() {
					answer, err := replicas[i%2].Reserve(t.Context(), "k", [32]byte{1})
					mu.Lock()
					defer mu.Unlock()
					if err == nil && answer == 0 {
						owners++
					} else if !errors.Is(err, student.ErrKeyInFlight) {
						t.Errorf("Reserve = %d, %v", answer, err)
					}
				})
			}
			racing.Wait()
			if owners != 1 {
				t.Errorf("%d owners, want 1", owners)
			}
			exec(t, replicas[0].db, `UPDATE idempotency_keys SET in_flight_until = 1`)
		}
	})
}
