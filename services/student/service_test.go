package student_test

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

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/enrollapi"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/studentapi"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/sqldb"
	"matriq/pkg/sqldb/sqldbtest"
	"matriq/services/student"
)

var errKilled = errors.New("killed")

func newService(t *testing.T, store student.Store, relay student.Relay, metrics prometheus.Registerer) *student.Service {
	t.Helper()
	svc, err := student.New(store, relay, slog.New(slog.DiscardHandler), metrics)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// served is a student service without its relay, and how to call it.
func served(t *testing.T, store student.Store, relay student.Relay) *rpc.Conn {
	t.Helper()
	return rpctest.Loopback(t, newService(t, store, relay, prometheus.NewRegistry()).Routes()...)
}

func request() studentapi.InsertRequest {
	return studentapi.InsertRequest{Firstname: "สมชาย", Lastname: "ใจดี", Email: "somchai@x.th"}
}

func insert(ctx context.Context, t *testing.T, caller rpc.Caller, req studentapi.InsertRequest) int64 {
	t.Helper()
	id, err := studentapi.Insert.Call(ctx, caller, req)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestInsert_RefusesBadArguments(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		caller := served(t, store, store.box)
		for reason, change := range map[string]func(*studentapi.InsertRequest){
			"bad_email":     func(r *studentapi.InsertRequest) { r.Email = "somchai" },
			"bad_firstname": func(r *studentapi.InsertRequest) { r.Firstname = "" },
			"bad_lastname":  func(r *studentapi.InsertRequest) { r.Lastname = "evil.com" },
		} {
			req := request()
			change(&req)
			_, err := studentapi.Insert.Call(t.Context(), caller, req)
			if rpc.CodeOf(err) != rpc.InvalidArgument || rpc.ReasonOf(err) != reason {
				t.Errorf("%s: %v", reason, err)
			}
		}
		if n := number(t, store.db, `SELECT COUNT(*) FROM students`); n != 0 {
			t.Errorf("%d students", n)
		}
	})
}

// Whoever repeats gets the same ID, in whatever spelling of the address.
func TestInsert_KnowsTheAddressAgain(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		caller := served(t, store, store.box)
		want := insert(t.Context(), t, caller, request())
		for _, email := range []string{"somchai@x.th", "Somchai@X.TH", "  somchai@x.th\n"} {
			req := request()
			req.Email, req.Firstname = email, "Other"
			if got := insert(t.Context(), t, caller, req); got != want {
				t.Errorf("%q got %d, want %d", email, got, want)
			}
		}
		req := request()
		req.Email = "somchai+a@x.th"
		if got := insert(t.Context(), t, caller, req); got == want {
			t.Error("a plus tag is another address and got the same ID")
		}
	})
}

func TestInsert_UnderAClientsKey(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		slow := &slowStore{Store: store, entered: make(chan struct{}), leave: make(chan struct{})}
		caller := served(t, slow, store.box)
		ctx := rpc.WithKey(t.Context(), "client/1")
		other := request()
		other.Lastname = "ใจร้าย"

		var first sync.WaitGroup
		var id int64
		first.Go(func() {
			var err error
			if id, err = studentapi.Insert.Call(ctx, caller, request()); err != nil {
				t.Error(err)
			}
		})
		<-slow.entered
		_, err := studentapi.Insert.Call(ctx, caller, request())
		if rpc.CodeOf(err) != rpc.Aborted || rpc.ReasonOf(err) != "idempotency_key_in_flight" {
			t.Errorf("while in flight: %v", err)
		}
		close(slow.leave)
		first.Wait()

		if got := insert(ctx, t, caller, request()); got != id {
			t.Errorf("the same request got %d, want %d", got, id)
		}
		_, err = studentapi.Insert.Call(ctx, caller, other)
		if rpc.CodeOf(err) != rpc.InvalidArgument || rpc.ReasonOf(err) != "idempotency_key_reused" {
			t.Errorf("another request: %v", err)
		}
	})
}

// slowStore waits in the middle of its first Register.
type slowStore struct {
	student.Store
	once           sync.Once
	entered, leave chan struct{}
}

func (s *slowStore) Register(ctx context.Context, r student.Registration) (int64, bool, error) {
	s.once.Do(func() {
		close(s.entered)
		<-s.leave
	})
	return s.Store.Register(ctx, r)
}

// A failure frees the client's key, so that its repeat is let in at once.
func TestInsert_FailureFreesTheClientsKey(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		caller := served(t, &dyingStore{Store: store}, store.box)
		ctx := rpc.WithKey(t.Context(), "client/1")
		if _, err := studentapi.Insert.Call(ctx, caller, request()); rpc.CodeOf(err) != rpc.Internal {
			t.Fatalf("the first: %v", err)
		}
		if got := insert(ctx, t, caller, request()); got != firstID {
			t.Errorf("the repeat got %d, want %d", got, firstID)
		}
	})
}

// dyingStore loses its first Register right after the commit: the transaction
// stands, and nobody heard of it.
type dyingStore struct {
	student.Store
	once sync.Once
}

func (s *dyingStore) Register(ctx context.Context, r student.Registration) (id int64, first bool, err error) {
	id, first, err = s.Store.Register(ctx, r)
	s.once.Do(func() { id, first, err = 0, false, errKilled })
	return id, first, err
}

func TestInsert_DatabaseDown(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, "u:p@tcp(127.0.0.1:1)/nothing") // nobody listens on port 1
	store := student.NewSQLStore(db, nil, keep(), slog.New(slog.DiscardHandler))
	caller := served(t, store, nil)
	_, err := studentapi.Insert.Call(t.Context(), caller, request())
	if rpc.CodeOf(err) != rpc.Unavailable {
		t.Errorf("err = %v, want unavailable", err)
	}
	_, err = studentapi.Status.Call(t.Context(), caller, studentapi.StatusRequest{StudentID: 1})
	if rpc.CodeOf(err) != rpc.Unavailable {
		t.Errorf("err = %v, want unavailable", err)
	}
}

func TestStatus_UnknownStudent(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		store := newReplica(t, dsn)
		_, err := studentapi.Status.Call(t.Context(), served(t, store, store.box), studentapi.StatusRequest{StudentID: 7})
		if rpc.CodeOf(err) != rpc.NotFound || rpc.ReasonOf(err) != "no_such_student" {
			t.Errorf("err = %v", err)
		}
	})
}

// world is a broker with a running student service on dsn.
type world struct {
	broker  *rpc.MemoryBroker
	store   replica
	caller  *rpc.Conn
	metrics *prometheus.Registry
}

// start runs the service with wrap around its store, until the test ends.
func start(t *testing.T, broker *rpc.MemoryBroker, dsn string, wrap func(student.Store) student.Store) world {
	t.Helper()
	w := world{broker: broker, store: newReplica(t, dsn), metrics: prometheus.NewRegistry()}
	svc := newService(t, wrap(w.store), w.store.box, w.metrics)
	serving := make(chan struct{}, 1)
	w.caller = broker.Connect(rpc.Options{
		Service: "student", Log: slog.New(slog.DiscardHandler), RetryDelays: []time.Duration{10 * time.Millisecond},
		OnServe: func() { serving <- struct{}{} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Serve(ctx, w.caller) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := w.caller.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	<-serving
	if err := svc.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	return w
}

func unwrapped(s student.Store) student.Store { return s }

// others do the casts of a registration and tell of it, each as its service
// does. The first deaf casts of each kind are done without a word.
type others struct {
	mu    sync.Mutex
	deaf  int
	seen  map[string]int
	langs map[string]int
	conn  *rpc.Conn
}

func startOthers(t *testing.T, broker *rpc.MemoryBroker, deaf int) *others {
	t.Helper()
	o := &others{deaf: deaf, seen: map[string]int{}, langs: map[string]int{}}
	o.conn = broker.Connect(rpc.Options{Service: "others", Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		if err := o.conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	rpctest.Serve(t, broker, rpc.Options{Service: "others"},
		enrollapi.Insert.Handle(func(ctx context.Context, a enrollapi.InsertArgs) error {
			if o.isDeaf(ctx) {
				return nil
			}
			return enrollapi.Inserted.Emit(ctx, o.conn, enrollapi.InsertedEvent{Key: rpc.KeyFrom(ctx), StudentID: a.StudentID, At: time.Now()})
		}),
		emailapi.SendConfirmation.Handle(func(ctx context.Context, _ emailapi.SendConfirmationArgs) error {
			if o.isDeaf(ctx) {
				return nil
			}
			return emailapi.Sent.Emit(ctx, o.conn, emailapi.SentEvent{Key: rpc.KeyFrom(ctx), At: time.Now()})
		}),
		otpapi.Retire.Handle(func(ctx context.Context, _ otpapi.EmailRequest) error {
			if o.isDeaf(ctx) {
				return nil
			}
			return otpapi.Retired.Emit(ctx, o.conn, otpapi.RetiredEvent{Key: rpc.KeyFrom(ctx), At: time.Now()})
		}))
	return o
}

func (o *others) isDeaf(ctx context.Context) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := rpc.KeyFrom(ctx)
	o.seen[key]++
	o.langs[rpc.MetaFrom(ctx).Language]++
	return o.seen[key] <= o.deaf
}

// times returns how often each cast for id came.
func (o *others) times(id int64) (enroll, mail, retire int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := fmt.Sprintf("student/%d/", id)
	return o.seen[key+"enroll.insert"], o.seen[key+"email.send"], o.seen[key+"otp.retire"]
}

// finished waits until all casts are closed and the progress is complete.
func finished(t *testing.T, w world, id int64) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := studentapi.Status.Call(t.Context(), w.caller, studentapi.StatusRequest{StudentID: id})
		if err != nil {
			t.Fatal(err)
		}
		open := number(t, w.store.db, `SELECT COUNT(*) FROM outbox WHERE next_at IS NOT NULL`)
		if p.Registered != nil && p.Enrolled != nil && p.Emailed != nil && open == 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after 30 s: %+v, %d casts open", p, open)
		case <-tick.C:
		}
	}
}

// A registration is followed to its end, in the person's language.
func TestServe_FollowsARegistrationToItsEnd(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		broker := rpc.NewMemoryBroker()
		o := startOthers(t, broker, 0)
		w := start(t, broker, dsn, unwrapped)
		ctx := rpc.WithMeta(t.Context(), rpc.Meta{Language: "th", RequestID: "r-1"})
		id := insert(ctx, t, w.caller, request())
		finished(t, w, id)
		insert(ctx, t, w.caller, request())
		if o.langs["th"] < 3 || len(o.langs) != 1 {
			t.Errorf("languages of the casts: %v", o.langs)
		}
		if err := testutil.GatherAndCompare(w.metrics, funnel("1"), "matriq_funnel_total"); err != nil {
			t.Error(err)
		}
	})
}

// An event that never came is made good: the cast is sent again.
func TestServe_MakesUpForLostEvents(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		broker := rpc.NewMemoryBroker()
		o := startOthers(t, broker, 2)
		w := start(t, broker, dsn, unwrapped)
		id := insert(t.Context(), t, w.caller, request())
		finished(t, w, id)
		if enroll, mail, retire := o.times(id); enroll < 3 || mail < 3 || retire < 3 {
			t.Errorf("casts came %d, %d and %d times, want 3 or more", enroll, mail, retire)
		}
	})
}

// A broker that lost all it had stored loses no registration.
func TestServe_MakesUpForALostBroker(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		broker := rpc.NewMemoryBroker()
		declared := rpctest.Serve(t, broker, rpc.Options{Service: "others", Prefetch: 1},
			enrollapi.Insert.Handle(func(context.Context, enrollapi.InsertArgs) error { return nil }),
			emailapi.SendConfirmation.Handle(func(context.Context, emailapi.SendConfirmationArgs) error { return nil }),
			otpapi.Retire.Handle(func(context.Context, otpapi.EmailRequest) error { return nil }))
		if err := declared.Close(t.Context()); err != nil { // the queues are there, nobody serves them
			t.Fatal(err)
		}
		w := start(t, broker, dsn, unwrapped)
		id := insert(t.Context(), t, w.caller, request())
		waitFor(t, w.store.db, `SELECT COUNT(*) FROM outbox WHERE sends > 0`, 3)
		broker.Wipe()
		startOthers(t, broker, 0)
		finished(t, w, id)
	})
}

func waitFor(t *testing.T, db *sqldb.DB, query string, want int64) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for number(t, db, query) != want {
		select {
		case <-deadline:
			t.Fatalf("after 30 s: %s is not %d", query, want)
		case <-tick.C:
		}
	}
}

// A process that dies right after the commit, before it answers and before it
// relays, loses nothing: the person repeats and gets the ID, and another replica
// does the rest.
func TestServe_CrashAfterTheCommit(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		broker := rpc.NewMemoryBroker()
		o := startOthers(t, broker, 0)
		w := start(t, broker, dsn, func(s student.Store) student.Store { return &dyingStore{Store: s} })
		if _, err := studentapi.Insert.Call(t.Context(), w.caller, request()); err == nil {
			t.Fatal("the dying process answered")
		}
		id := insert(t.Context(), t, w.caller, request())
		if id != firstID {
			t.Errorf("the repeat got %d, want %d", id, firstID)
		}
		finished(t, w, id)
		if n := number(t, w.store.db, `SELECT COUNT(*) FROM students`); n != 1 {
			t.Errorf("%d students, want 1", n)
		}
		if enroll, _, _ := o.times(id); enroll < 1 {
			t.Error("nobody was enrolled")
		}
	})
}

// Events of casts that are not this service's are nobody's failure.
func TestServe_IgnoresForeignEvents(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, dsn string) {
		broker := rpc.NewMemoryBroker()
		w := start(t, broker, dsn, unwrapped)
		id := insert(t.Context(), t, w.caller, request())
		for _, key := range []string{"ABC", "", "student/x/email.send", "student/69000001/enroll.insert", "other/69000001/email.send"} {
			if err := emailapi.Sent.Emit(t.Context(), w.caller, emailapi.SentEvent{Key: key, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		at := time.UnixMilli(1_800_000_000_000)
		if err := emailapi.Sent.Emit(t.Context(), w.caller, emailapi.SentEvent{Key: "student/69000001/email.send", At: at}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, w.store.db, `SELECT COUNT(*) FROM students WHERE emailed_at = 1800000000000`, 1)
		p, err := studentapi.Status.Call(t.Context(), w.caller, studentapi.StatusRequest{StudentID: id})
		if err != nil || p.Enrolled != nil {
			t.Errorf("%+v, %v: enrolled by an event about a mail", p, err)
		}
	})
}
