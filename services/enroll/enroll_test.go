package enroll_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/api/enrollapi"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
	"matriq/pkg/sqldb/sqldbtest"
	"matriq/services/enroll"
)

const studentID = 69000001

func newStore(t *testing.T, dsn string) (*enroll.SQLStore, *sqldb.DB) {
	t.Helper()
	db := sqldbtest.Open(t, dsn)
	store := enroll.NewSQLStore(db, 0, slog.New(slog.DiscardHandler))
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, db
}

func number(t *testing.T, db *sqldb.DB, query string) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func somchai() enroll.Enrolment {
	return enroll.Enrolment{StudentID: studentID, Firstname: "สมชาย", Lastname: "ใจดี"}
}

// One record for a student, with the time of the first.
func TestStore_InsertOnce(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store, db := newStore(t, dsn)
		want, first, err := store.Insert(t.Context(), somchai())
		if err != nil || !first || time.Since(want).Abs() > 5*time.Second {
			t.Fatalf("Insert = %v, %v, %v", want, first, err)
		}
		if _, err := db.ExecContext(t.Context(), `UPDATE enrolments SET enrolled_at = enrolled_at - 1000`); err != nil {
			t.Fatal(err)
		}
		other := somchai()
		other.Firstname = "สมหญิง"
		if at, first, err := store.Insert(t.Context(), other); err != nil || first || !at.Equal(want.Add(-time.Second)) {
			t.Errorf("a repeat: %v, %v, %v; want the time on record", at, first, err)
		}
		if n := number(t, db, `SELECT COUNT(*) FROM enrolments WHERE firstname = 'สมชาย'`); n != 1 {
			t.Error("the first record did not stay")
		}
	})
}

// Casts of five students race over two replicas.
func TestStore_InsertUnderRace(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const students = 5
		one, db := newStore(t, dsn)
		two, _ := newStore(t, dsn)
		var racing sync.WaitGroup
		var mu sync.Mutex
		firsts := 0
		for i := range 50 {
			store := []*enroll.SQLStore{one, two}[i%2]
			racing.Go(func() {
				e := somchai()
				e.StudentID += int64(i % students)
				_, first, err := store.Insert(t.Context(), e)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if first {
					firsts++
				}
			})
		}
		racing.Wait()
		if n := number(t, db, `SELECT COUNT(*) FROM enrolments`); n != students || firsts != students {
			t.Errorf("%d records, %d firsts; want %d of each", n, firsts, students)
		}
	})
}

// world is a broker with a running enroll service, and the events it emitted.
type world struct {
	broker  *rpc.MemoryBroker
	conn    *rpc.Conn
	db      *sqldb.DB
	metrics *prometheus.Registry
	events  chan enrollapi.InsertedEvent
}

func start(t *testing.T, dsn string, wrap func(enroll.Store) enroll.Store) world {
	t.Helper()
	store, db := newStore(t, dsn)
	w := world{broker: rpc.NewMemoryBroker(), db: db, metrics: prometheus.NewRegistry(), events: make(chan enrollapi.InsertedEvent, 100)}
	rpctest.Serve(t, w.broker, rpc.Options{Service: "listener"},
		enrollapi.Inserted.On("listener.inserted", func(_ context.Context, e enrollapi.InsertedEvent) error {
			w.events <- e
			return nil
		}))
	svc, err := enroll.New(wrap(store), slog.New(slog.DiscardHandler), w.metrics)
	if err != nil {
		t.Fatal(err)
	}
	serving := make(chan struct{}, 1)
	w.conn = w.broker.Connect(rpc.Options{
		Service: "enroll", Log: slog.New(slog.DiscardHandler), RetryDelays: []time.Duration{10 * time.Millisecond, 10 * time.Millisecond},
		OnServe: func() { serving <- struct{}{} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Serve(ctx, w.conn) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := w.conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	<-serving
	if err := svc.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	return w
}

func unwrapped(s enroll.Store) enroll.Store { return s }

func (w world) send(t *testing.T, key string, args enrollapi.InsertArgs) {
	t.Helper()
	if err := enrollapi.Insert.Send(rpc.WithKey(t.Context(), key), w.conn, args); err != nil {
		t.Fatal(err)
	}
}

func (w world) event(t *testing.T) enrollapi.InsertedEvent {
	t.Helper()
	select {
	case e := <-w.events:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no event in 30 s")
		return enrollapi.InsertedEvent{}
	}
}

func args() enrollapi.InsertArgs {
	return enrollapi.InsertArgs{StudentID: studentID, Firstname: "สมชาย", Lastname: "ใจดี"}
}

// Each cast is told of, repeats too, with its own key and the time of the record.
func TestServe_TellsOfEveryCast(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		w := start(t, dsn, unwrapped)
		key := "student/69000001/enroll.insert"
		w.send(t, key, args())
		first := w.event(t)
		if first.Key != key || first.StudentID != studentID || time.Since(first.At).Abs() > 5*time.Second {
			t.Errorf("event %+v", first)
		}
		w.send(t, key, args())
		if again := w.event(t); again.Key != key || !again.At.Equal(first.At) {
			t.Errorf("the repeat's event %+v, want %+v", again, first)
		}
		if n := number(t, w.db, `SELECT COUNT(*) FROM enrolments`); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		if err := testutil.GatherAndCompare(w.metrics, strings.NewReader(`
# HELP matriq_funnel_total How many got to each step of a registration.
# TYPE matriq_funnel_total counter
matriq_funnel_total{step="enrolled"} 1
`), "matriq_funnel_total"); err != nil {
			t.Error(err)
		}
	})
}

// A worker that dies after the commit and before the event is made good by the
// next attempt: one record, and the event comes.
func TestServe_DiesAfterTheCommit(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		w := start(t, dsn, func(s enroll.Store) enroll.Store { return &dyingStore{Store: s} })
		w.send(t, "k", args())
		if e := w.event(t); e.Key != "k" {
			t.Errorf("event %+v", e)
		}
		if n := number(t, w.db, `SELECT COUNT(*) FROM enrolments`); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

// dyingStore loses its first Insert right after the commit.
type dyingStore struct {
	enroll.Store
	once sync.Once
}

func (s *dyingStore) Insert(ctx context.Context, e enroll.Enrolment) (at time.Time, first bool, err error) {
	at, first, err = s.Store.Insert(ctx, e)
	s.once.Do(func() { err = errors.New("killed") })
	return at, first, err
}

// Nonsense is parked at once, without a record and without an event.
func TestServe_ParksNonsense(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		w := start(t, dsn, unwrapped)
		for name, change := range map[string]func(*enrollapi.InsertArgs){
			"no ID":        func(a *enrollapi.InsertArgs) { a.StudentID = 0 },
			"negative":     func(a *enrollapi.InsertArgs) { a.StudentID = -7 },
			"no firstname": func(a *enrollapi.InsertArgs) { a.Firstname = "" },
			"bad lastname": func(a *enrollapi.InsertArgs) { a.Lastname = "a\nb" },
		} {
			a := args()
			change(&a)
			w.send(t, name, a)
		}
		deadline := time.After(30 * time.Second)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for w.broker.Depth("enroll.parking") != 4 {
			select {
			case <-deadline:
				t.Fatalf("%d parked, want 4", w.broker.Depth("enroll.parking"))
			case <-tick.C:
			}
		}
		if n := number(t, w.db, `SELECT COUNT(*) FROM enrolments`); n != 0 || len(w.events) != 0 {
			t.Errorf("%d records, %d events; want none", n, len(w.events))
		}
	})
}

func TestReadConfig_ReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := enroll.ReadConfig(service.NewEnv("enroll", map[string]string{"INBOX_KEEP": "1ms"}, slog.New(slog.DiscardHandler)))
	if err == nil {
		t.Fatal("no error")
	}
	for _, setting := range []string{"AMQP_URL", "MYSQL_DSN", "INBOX_KEEP"} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is not named in %v", setting, err)
		}
	}
}
