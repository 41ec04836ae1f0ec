package rpctest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/rpc"
)

// Broker is an empty broker for one test of [Conformance], and what the test
// may do to it. All that it opens it closes when the test ends.
type Broker struct {
	// Connect makes a new connection. The suite closes it.
	Connect func(o rpc.Options) *rpc.Conn
	// Publish and Tap are for messages that package rpc does not make or hide:
	// see [rpc.MemoryBroker.Publish] and [rpc.MemoryBroker.Tap]. A tap is in
	// place when Tap returns.
	Publish func(w rpc.Wire) error
	Tap     func(exchange, key string, fn func(rpc.Wire)) error
	// Cut ends every connection; they come back by themselves.
	Cut func()
	// Block makes the broker refuse or take messages. It returns when every
	// connection knows. Nil when that cannot be done to it.
	Block func(blocked bool)
}

// Conformance holds a transport to the promises of package rpc. fresh returns
// an empty broker for each of its tests, which run in parallel.
func Conformance(t *testing.T, fresh func(t *testing.T) Broker) {
	t.Helper()
	tests := map[string]func(*testing.T, *bench){
		"call":     callTests,
		"outcome":  outcomeTests,
		"cast":     castTests,
		"failure":  failureTests,
		"event":    eventTests,
		"operator": operatorTests,
		"nameko":   namekoTests,
		"loss":     lossTests,
		"drain":    drainTests,
		"builtin":  builtinTests,
		"crowd":    crowdTests,
	}
	if fresh == nil {
		t.Fatal("no broker to test")
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &bench{fresh: fresh})
		})
	}
}

// bench runs the cases of one part of the suite, each on its own broker.
type bench struct {
	fresh func(*testing.T) Broker
}

// cases runs each in parallel.
func (b *bench) cases(t *testing.T, cases map[string]func(*testing.T, *world)) {
	t.Helper()
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{Broker: b.fresh(t)}
			w.conn = w.connect(t, rpc.Options{Service: "caller"})
			run(t, w)
		})
	}
}

// world is one broker with a connection that only calls.
type world struct {
	Broker
	conn *rpc.Conn
}

// connect returns a connection that is ready, and closes it after the test.
func (w *world) connect(t *testing.T, o rpc.Options) *rpc.Conn {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if o.RetryDelays == nil {
		o.RetryDelays = []time.Duration{20 * time.Millisecond, 50 * time.Millisecond}
	}
	conn := w.Connect(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	eventually(t, "connection", func() bool { return conn.Ready() == nil })
	return conn
}

// serve serves routes on a connection of its own and returns when it does.
func (w *world) serve(t *testing.T, o rpc.Options, routes ...rpc.Route) (stop context.CancelFunc, ended <-chan struct{}) {
	t.Helper()
	serving := make(chan struct{}, 1)
	o.OnServe = func() { serving <- struct{}{} }
	if o.Service == "" {
		o.Service = "demo"
	}
	stop, ended = start(t, w.connect(t, o), routes)
	t.Cleanup(func() {
		stop()
		<-ended
	})
	receive(t, serving)
	return stop, ended
}

// receive waits for the next value of c.
func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// eventually waits until done holds, by looking often.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// wantError checks what a caller can act on.
func wantError(t *testing.T, err error, code rpc.Code, reason string, ran rpc.Ran) {
	t.Helper()
	e, ok := errors.AsType[*rpc.Error](err)
	if !ok || e.Code != code || e.Reason != reason || e.Ran != ran {
		t.Fatalf("err = %+v, want %s (%s), ran %s", err, code, reason, ran)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is the arguments of most methods here.
type text struct {
	Text string `json:"text"`
}

const soon = patience / 2

var (
	echo      = rpc.NewMethod[text, string]("demo.echo", soon)
	echoAgain = rpc.NewMethod[text, string]("demo.echo_again", soon).Idempotent()
	note      = rpc.NewCast[text]("demo.note")
	told      = rpc.NewEvent[text]("demo", "told")
)

// counted is a handler of note that counts and fails as often as it is told.
type counted struct {
	runs     atomic.Int64
	failures int64
	err      error
	done     chan string
}

func newCounted(failures int64, err error) *counted {
	return &counted{failures: failures, err: err, done: make(chan string, 100)}
}

func (c *counted) handle(_ context.Context, a text) error {
	if c.runs.Add(1) <= c.failures {
		return c.err
	}
	c.done <- a.Text
	return nil
}
