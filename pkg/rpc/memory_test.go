package rpc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"demo.*", "demo.echo", true},
		{"demo.*", "demo", false},
		{"demo.*", "demo.echo.more", false},
		{"*.echo", "demo.echo", true},
		{"#", "", true},
		{"#", "a.b.c", true},
		{"a.#", "a", true},
		{"a.#.c", "a.c", true},
		{"a.#.c", "a.b.b.c", true},
		{"a.#.c", "a.b", false},
		{"student.*", "students.x", false},
	} {
		if got := matches(strings.Split(c.pattern, "."), strings.Split(c.key, ".")); got != c.want {
			t.Errorf("%s against %s = %v", c.pattern, c.key, got)
		}
	}
}

func TestMemoryDeclare_mismatch(t *testing.T) {
	t.Parallel()
	b := NewMemoryBroker()
	conn := b.Connect(Options{Service: "demo"})
	must := func(want error, topology Topology) {
		t.Helper()
		if err := conn.t.declare(t.Context(), topology); !errors.Is(err, want) {
			t.Errorf("err = %v, want %v", err, want)
		}
	}
	queue := func(args map[string]any) Topology { return Topology{Queues: []Queue{{"demo.work.v1", args}}} }
	must(nil, queue(map[string]any{"x-message-ttl": int64(1)}))
	must(nil, queue(map[string]any{"x-message-ttl": int64(1)}))
	must(errMismatch, queue(map[string]any{"x-message-ttl": int64(2)}))
	must(errMismatch, queue(nil))
	must(errNoQueue, Topology{Bindings: []Binding{{exchangeRPC, "a.b", "missing"}}})
	must(errors.ErrUnsupported, Topology{Exchanges: []Exchange{{"x", "fanout"}}})

	err := conn.Serve(t.Context(), NewCast[struct{}]("demo.note").Handle(func(context.Context, struct{}) error { return nil }))
	if !errors.Is(err, errMismatch) {
		t.Errorf("serve: %v, want a mismatch", err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A body that one side changes afterwards is another one on the other side.
func TestMemory_copiesBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewMemoryBroker()
		if err := b.declare(Topology{Queues: []Queue{{Name: "q"}}}); err != nil {
			t.Fatal(err)
		}
		body := []byte("before")
		if err := b.Publish(Wire{Key: "q", Body: body}); err != nil {
			t.Fatal(err)
		}
		copy(body, "after!")
		tr := newMemoryTransport(b, "demo")
		tr.start(func(*envelope) {}, func(uint64) {})
		for range 2 {
			d, ok, err := tr.get(t.Context(), "q")
			if !ok || err != nil || string(d.body) != "before" {
				t.Fatalf("%v, %v, %s", ok, err, d.body)
			}
			copy(d.body, "scrawl")
			d.nack()
		}
	})
}

// A settlement from before a lost connection must not touch what is delivered
// after it.
func TestMemory_settlesNothingOfAnotherEpoch(t *testing.T) {
	t.Parallel()
	b := NewMemoryBroker()
	if err := b.declare(Topology{Queues: []Queue{{Name: "q"}}}); err != nil {
		t.Fatal(err)
	}
	tr := newMemoryTransport(b, "demo")
	tr.start(func(*envelope) {}, func(uint64) {})
	if err := b.Publish(Wire{Key: "q", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	old, _, err := tr.get(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	b.Restart()
	old.ack()
	d, ok, err := tr.get(t.Context(), "q")
	if !ok || err != nil || !d.redelivered {
		t.Errorf("the message is gone: %v, %v", ok, err)
	}
}

func TestMemory_expiresAtTheHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewMemoryBroker()
		args := map[string]any{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-message-ttl": int64(5000)}
		if err := b.declare(Topology{Queues: []Queue{{"q", args}, {Name: "dead"}}}); err != nil {
			t.Fatal(err)
		}
		for _, life := range []time.Duration{0, time.Second, time.Hour} {
			if err := b.Publish(Wire{Key: "q", Expiration: life, Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			wait  time.Duration
			q, ex int
		}{{4 * time.Second, 3, 0}, {time.Second, 0, 3}} {
			time.Sleep(c.wait) //nolint:forbidigo // virtual
			synctest.Wait()
			if q, dead := b.Depth("q"), b.Depth("dead"); q != c.q || dead != c.ex {
				t.Errorf("%d and %d dead, want %d and %d", q, dead, c.q, c.ex)
			}
		}
	})
}
