package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
	"matriq/pkg/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	greet     = rpc.NewCast[greetArgs]("greeter.greet")
	wave      = rpc.NewCast[greetArgs]("greeter.wave")
	errBroken = errors.New("the broker is down")
)

type greetArgs struct {
	Name string `json:"name"`
}

// quick are the options of a test that waits for no minute.
func quick() outbox.Options {
	return outbox.Options{
		Log:    slog.New(slog.DiscardHandler),
		Resend: 200 * time.Millisecond,
		Retry:  20 * time.Millisecond,
		Poll:   10 * time.Millisecond,
	}
}

// patient are those of a test in which nothing may be sent twice.
func patient() outbox.Options {
	o := quick()
	o.Resend = time.Hour
	return o
}

func migrated(t *testing.T, dsn string) *sqldb.DB {
	t.Helper()
	db := sqldbtest.Open(t, dsn)
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

// broker takes casts, and refuses them while err is set.
type broker struct {
	mu    sync.Mutex
	err   error
	tries int
	got   map[string]int
	last  rpc.Message
}

func newBroker() *broker { return &broker{got: map[string]int{}} }

func (b *broker) Cast(_ context.Context, m rpc.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.err != nil {
		return b.err
	}
	b.got[m.Key]++
	b.last = m
	return nil
}

func (b *broker) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// count returns how many keys came, and how many casts in all.
func (b *broker) count() (keys, casts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.got {
		casts += n
	}
	return len(b.got), casts
}

func (b *broker) attempts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tries
}

func (b *broker) times(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got[key]
}

// relay runs box until the test ends or the returned function is called.
func relay(t *testing.T, box *outbox.Outbox, to rpc.Caster) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- box.Relay(ctx, to) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Relay: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func enqueue(t *testing.T, db *sqldb.DB, box *outbox.Outbox, subject string, casts ...rpc.Message) {
	t.Helper()
	if err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
		return box.Enqueue(t.Context(), tx, subject, casts...)
	}); err != nil {
		t.Fatal(err)
	}
}

// leave enqueues casts as a process does that dies before it sends them, long ago.
func leave(t *testing.T, db *sqldb.DB, subject string, casts ...rpc.Message) {
	t.Helper()
	enqueue(t, db, outbox.New(db, patient()), subject, casts...)
	if _, err := db.ExecContext(t.Context(), `UPDATE outbox SET next_at = 1 WHERE cast_key LIKE ?`, subject+"/%"); err != nil {
		t.Fatal(err)
	}
}

func message(t *testing.T, cast rpc.Cast[greetArgs], name string) rpc.Message {
	t.Helper()
	ctx := rpc.WithMeta(t.Context(), rpc.Meta{Language: "th", RequestID: "r-1", ClientIP: "192.0.2.1"})
	m, err := cast.Message(ctx, greetArgs{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func closeKey(t *testing.T, db *sqldb.DB, box *outbox.Outbox, key string) {
	t.Helper()
	if err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
		return box.Close(t.Context(), tx, outbox.Done{Key: key, At: time.Now()})
	}); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, db *sqldb.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// until polls cond, with a deadline that fails the test.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("waited 30 s in vain for: %s", what)
		case <-tick.C:
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	key := outbox.Key("student/7", "enroll.insert")
	if key != "student/7/enroll.insert" {
		t.Errorf("Key = %q", key)
	}
	if subject, target, ok := outbox.SplitKey(key); subject != "student/7" || target != "enroll.insert" || !ok {
		t.Errorf("SplitKey = %q, %q, %v", subject, target, ok)
	}
	if _, _, ok := outbox.SplitKey("AB"); ok {
		t.Error("SplitKey took a key that is none of the outbox's")
	}
}

// What was enqueued comes out with all that travels with it.
func TestRelay_SendsTheWholeCast(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		box, bus := outbox.New(db, patient()), newBroker()
		want := message(t, greet, "สมชาย")
		want.Deadline = time.Now().Add(time.Hour).Truncate(time.Millisecond)
		want.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		enqueue(t, db, box, "person/1", want)
		relay(t, box, bus)
		until(t, "the cast", func() bool { return bus.times("person/1/greeter.greet") == 1 })
		want.Key = "person/1/greeter.greet"
		if got := bus.last; got.Kind != want.Kind || got.Target != want.Target || string(got.Body) != string(want.Body) ||
			got.Key != want.Key || got.Meta != want.Meta || got.TraceParent != want.TraceParent || !got.Deadline.Equal(want.Deadline) {
			t.Errorf("sent %+v, want %+v", got, want)
		}
	})
}

// Nothing goes out of a transaction that did not commit.
func TestEnqueue_IsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		box := outbox.New(db, patient())
		m := message(t, greet, "x")
		err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
			if err := box.Enqueue(t.Context(), tx, "person/1", m); err != nil {
				return err
			}
			return errBroken
		})
		if !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		if n := number(t, db, `SELECT COUNT(*) FROM outbox`); n != 0 {
			t.Errorf("%d rows after a rollback", n)
		}
		enqueue(t, db, box, "person/1", m)
		err = sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error { return box.Enqueue(t.Context(), tx, "person/1", m) })
		if !sqldb.IsDuplicate(err) {
			t.Errorf("a second cast of one subject to one target: %v, want a duplicate", err)
		}
	})
}

func TestEnqueue_RefusesWhatNothingCloses(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		box := outbox.New(db, patient())
		err := sqldb.InTx(t.Context(), db, func(tx *sqldb.Tx) error {
			return box.Enqueue(t.Context(), tx, "person/1", rpc.Message{Kind: rpc.KindEvent, Target: "greeter.greeted"})
		})
		if err == nil {
			t.Error("an event was enqueued")
		}
	})
}

// Two replicas share the rows: with a broker that takes everything, each cast
// goes out once.
func TestRelay_TwoReplicasShareTheRows(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const subjects = 300
		one, two := migrated(t, dsn), sqldbtest.Open(t, dsn)
		o := patient()
		o.Window = 32
		box, bus := outbox.New(one, o), newBroker()
		for i := range subjects {
			leave(t, one, fmt.Sprintf("person/%d", i), message(t, greet, "x"), message(t, wave, "x"))
		}
		relay(t, box, bus)
		relay(t, outbox.New(two, o), bus)
		until(t, "all casts", func() bool { keys, _ := bus.count(); return keys == 2*subjects })
		until(t, "all notes", func() bool { return number(t, one, `SELECT COUNT(*) FROM outbox WHERE sends = 1`) == 2*subjects })
		if _, casts := bus.count(); casts != 2*subjects {
			t.Errorf("%d casts for %d rows", casts, 2*subjects)
		}
	})
}

// What one relay has in its hands no other one sends, however long the broker
// takes.
func TestRelay_LeavesAloneWhatAnotherSends(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		const held = 10
		db := migrated(t, dsn)
		box := outbox.New(db, patient())
		for i := range held {
			leave(t, db, fmt.Sprintf("held/%d", i), message(t, greet, "x"))
		}
		arrived, answer := make(chan struct{}, held), make(chan struct{})
		stop := relay(t, box, casterFunc(func(context.Context, rpc.Message) error {
			arrived <- struct{}{}
			<-answer
			return nil
		}))
		for range held {
			<-arrived
		}
		bus := newBroker()
		relay(t, outbox.New(sqldbtest.Open(t, dsn), patient()), bus)
		for i := range 3 { // three passes of the other relay
			leave(t, db, fmt.Sprintf("free/%d", i), message(t, greet, "x"))
			until(t, "a cast of the other relay", func() bool { return bus.times(fmt.Sprintf("free/%d/greeter.greet", i)) == 1 })
		}
		if keys, _ := bus.count(); keys != 3 {
			t.Errorf("the other relay sent %d casts, want its own 3", keys)
		}
		close(answer)
		stop()
	})
}

// An open cast is sent again, ever more seldom, until it is closed; then never.
func TestRelay_SendsAgainUntilClosed(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := quick()
		o.Resend = 50 * time.Millisecond
		reg := prometheus.NewRegistry()
		o.Metrics = reg
		box, bus := outbox.New(db, o), newBroker()
		enqueue(t, db, box, "person/1", message(t, greet, "x"), message(t, wave, "x"))
		stop := relay(t, box, bus)
		until(t, "three sends", func() bool { return bus.times("person/1/greeter.greet") >= 3 })
		closeKey(t, db, box, "person/1/greeter.greet")
		closeKey(t, db, box, "person/1/greeter.greet") // a repeat is no error
		closeKey(t, db, box, "nobody/knows.it")
		atClose, others := bus.times("person/1/greeter.greet"), bus.times("person/1/greeter.wave")
		until(t, "a later send of the open one", func() bool { return bus.times("person/1/greeter.wave") >= others+2 })
		stop()
		// One may have been on its way to the broker at the moment of the closing.
		if got := bus.times("person/1/greeter.greet"); got > atClose+1 {
			t.Errorf("sent %d times after it was closed", got-atClose)
		}
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE next_at IS NULL AND closed_at IS NOT NULL`); n != 1 {
			t.Errorf("%d closed rows, want 1", n)
		}
		if got := testutil.ToFloat64(gathered(t, reg, "matriq_outbox_resends_total")); got < 4 {
			t.Errorf("%v resends counted, want 4 or more", got)
		}
		if n, _ := done(t, reg); n != 1 {
			t.Errorf("%d casts counted as done, want 1", n)
		}
	})
}

// The waits between the sends double and are capped.
func TestRelay_WaitsDouble(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := quick()
		o.Resend, o.ResendMax = time.Hour, 5*time.Hour
		box, bus := outbox.New(db, o), newBroker()
		enqueue(t, db, box, "person/1", message(t, greet, "x"))
		relay(t, box, bus)
		for sends, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 5 * time.Hour, 5 * time.Hour} {
			until(t, "the note of a send", func() bool {
				return number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends = ?`, sends+1) == 1
			})
			next := time.UnixMilli(number(t, db, `SELECT next_at FROM outbox`))
			if got := time.Until(next); (got - want).Abs() > time.Minute {
				t.Errorf("after %d sends the next is in %v, want %v", sends+1, got, want)
			}
			if _, err := db.ExecContext(t.Context(), `UPDATE outbox SET next_at = 0`); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// While the broker is down nothing is lost and nothing counts as sent; when it
// is back everything goes out.
func TestRelay_BrokerDown(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		box, bus := outbox.New(db, patient()), newBroker()
		bus.fail(errBroken)
		for i := range 10 {
			enqueue(t, db, box, fmt.Sprintf("person/%d", i), message(t, greet, "x"))
		}
		relay(t, box, bus)
		until(t, "two passes in vain", func() bool { return bus.attempts() >= 20 })
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends > 0`); n != 0 {
			t.Errorf("%d casts count as sent", n)
		}
		bus.fail(nil)
		until(t, "all casts", func() bool { keys, _ := bus.count(); return keys == 10 })
	})
}

// A relay that died with rows in its hands loses none: when its lease is over
// another one sends them.
func TestRelay_TakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := patient()
		o.SendTimeout, o.Lease = 10*time.Millisecond, 300*time.Millisecond
		box := outbox.New(db, o)
		leave(t, db, "person/1", message(t, greet, "x"))
		// The first replica claims the row and then cannot write any more.
		doomed := sqldbtest.Open(t, dsn)
		dying := newBroker()
		relay(t, outbox.New(doomed, o), casterFunc(func(ctx context.Context, m rpc.Message) error {
			if err := doomed.Close(); err != nil {
				return err
			}
			return dying.Cast(ctx, m)
		}))
		until(t, "the first send", func() bool { return dying.times("person/1/greeter.greet") == 1 })
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends = 0 AND next_at IS NOT NULL`); n != 1 {
			t.Fatal("the dead replica noted its send")
		}
		bus := newBroker()
		relay(t, box, bus)
		until(t, "the second send", func() bool { return bus.times("person/1/greeter.greet") == 1 })
	})
}

type casterFunc func(context.Context, rpc.Message) error

func (f casterFunc) Cast(ctx context.Context, m rpc.Message) error { return f(ctx, m) }

// No lock is held while the broker is slow: the row can be closed meanwhile, and
// stays closed.
func TestRelay_ClosedWhileOnItsWay(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		box := outbox.New(db, quick())
		enqueue(t, db, box, "person/1", message(t, greet, "x"))
		arrived, answer := make(chan struct{}), make(chan struct{})
		stop := relay(t, box, casterFunc(func(context.Context, rpc.Message) error {
			close(arrived)
			<-answer
			return nil
		}))
		<-arrived
		closeKey(t, db, box, "person/1/greeter.greet")
		close(answer)
		stop() // sees the cast through, and would panic on a second one
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE next_at IS NULL`); n != 1 {
			t.Error("the note of the send opened a closed row")
		}
	})
}

// A commit is followed by its casts at once, not at the next poll.
func TestWake(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := patient()
		o.Poll = time.Hour
		box, bus := outbox.New(db, o), newBroker()
		relay(t, box, bus)
		for i := range 3 {
			enqueue(t, db, box, fmt.Sprintf("person/%d", i), message(t, greet, "x"))
			box.Wake()
			until(t, "the cast", func() bool { keys, _ := bus.count(); return keys == i+1 })
		}
	})
}

// A cast whose deadline has passed is closed unsent.
func TestRelay_DropsTheExpired(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		box, bus := outbox.New(db, patient()), newBroker()
		late := message(t, greet, "x")
		late.Deadline = time.Now().Add(-time.Second)
		enqueue(t, db, box, "person/1", late, message(t, wave, "x"))
		relay(t, box, bus)
		until(t, "both rows", func() bool {
			return number(t, db, `SELECT COUNT(*) FROM outbox WHERE closed_at IS NOT NULL OR sends = 1`) == 2
		})
		if bus.times("person/1/greeter.greet") != 0 || bus.times("person/1/greeter.wave") != 1 {
			t.Errorf("sent %v", bus.got)
		}
	})
}

func gathered(t *testing.T, reg *prometheus.Registry, name string) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
			g.Set(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			return g
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}

func TestMetrics_ShowWhatIsOpen(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		reg := prometheus.NewRegistry()
		o := patient()
		o.Metrics = reg
		box := outbox.New(db, o)
		enqueue(t, db, box, "person/1", message(t, greet, "x"), message(t, wave, "x"))
		if _, err := db.ExecContext(t.Context(), `UPDATE outbox SET created_at = created_at - 90000`); err != nil {
			t.Fatal(err)
		}
		relay(t, box, newBroker())
		until(t, "the gauges", func() bool {
			return testutil.ToFloat64(gathered(t, reg, "matriq_outbox_open")) == 2 &&
				testutil.ToFloat64(gathered(t, reg, "matriq_outbox_oldest_open_seconds")) >= 90
		})
		closeKey(t, db, box, "person/1/greeter.greet")
		if n, seconds := done(t, reg); n != 1 || seconds < 90 || seconds > 120 {
			t.Errorf("%d casts done after %v s in all, want 1 after 90 s and little more", n, seconds)
		}
	})
}

// done returns how many casts are counted as done, and after how long in all.
func done(t *testing.T, reg *prometheus.Registry) (n uint64, seconds float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "matriq_outbox_done_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			n += m.GetHistogram().GetSampleCount()
			seconds += m.GetHistogram().GetSampleSum()
		}
	}
	return n, seconds
}

// What a process sends itself is left to it, and needs no note in the database
// when it is closed soon.
func TestOwn_NeedsNoClaim(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := patient()
		o.Poll, o.Own = time.Hour, time.Minute // nothing is noted before the relay ends
		box, bus := outbox.New(db, o), newBroker()
		stop := relay(t, box, bus)
		other := newBroker()
		relay(t, outbox.New(sqldbtest.Open(t, dsn), patient()), other)
		enqueue(t, db, box, "person/1", message(t, greet, "x"), message(t, wave, "x"))
		left := number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends = 0 AND next_at = created_at + 60000`)
		box.Wake()
		until(t, "the casts", func() bool { keys, _ := bus.count(); return keys == 2 })
		if now := number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends = 0 AND next_at = created_at + 60000`); left != 2 || now != 2 {
			t.Errorf("%d rows were left to their own process, %d after they were sent; want 2 and 2", left, now)
		}
		closeKey(t, db, box, "person/1/greeter.greet")
		stop()
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends = 1 AND next_at IS NOT NULL`); n != 1 {
			t.Errorf("%d open rows have the note of their send, want the one that is open", n)
		}
		if n := number(t, db, `SELECT COUNT(*) FROM outbox WHERE sends = 0 AND next_at IS NULL`); n != 1 {
			t.Errorf("%d rows were closed without a note, want the other one", n)
		}
		if keys, _ := other.count(); keys != 0 {
			t.Errorf("another replica sent %d casts", keys)
		}
	})
}

// What a process committed and did not send, as it died or had no room, others
// send when its time is over.
func TestOwn_TakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := patient()
		o.SendTimeout, o.Own = 10*time.Millisecond, 100*time.Millisecond
		enqueue(t, db, outbox.New(db, o), "person/1", message(t, greet, "x"))
		bus := newBroker()
		relay(t, outbox.New(sqldbtest.Open(t, dsn), patient()), bus)
		until(t, "the cast", func() bool { return bus.times("person/1/greeter.greet") == 1 })
	})
}

// A process that stops gives away at once what it has not begun to send.
func TestOwn_GivenAwayAtTheStop(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		db := migrated(t, dsn)
		o := patient()
		o.Own = time.Hour
		box := outbox.New(db, o)
		enqueue(t, db, box, "person/1", message(t, greet, "x"), message(t, wave, "x"))
		stopped, stop := context.WithCancel(t.Context())
		stop()
		dead := newBroker()
		if err := box.Relay(stopped, dead); err != nil {
			t.Fatal(err)
		}
		bus := newBroker()
		relay(t, outbox.New(sqldbtest.Open(t, dsn), patient()), bus)
		until(t, "what was given away", func() bool { keys, _ := bus.count(); return keys == 2 })
		if dead.attempts() != 0 {
			t.Error("the stopped process sent one")
		}
	})
}
