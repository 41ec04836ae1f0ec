package rpctest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"matriq/pkg/rpc"
)

func castTests(t *testing.T, b *bench) {
	b.cases(t, map[string]func(*testing.T, *world){
		"is done once, with its context": func(t *testing.T, w *world) {
			seen := make(chan string, 10)
			w.serve(t, rpc.Options{}, note.Handle(func(ctx context.Context, a text) error {
				seen <- a.Text + " " + rpc.KeyFrom(ctx) + " " + rpc.MetaFrom(ctx).Language
				return nil
			}))
			must(t, note.Send(rpc.WithKey(rpc.WithMeta(t.Context(), rpc.Meta{Language: "th"}), "k1"), w.conn, text{"x"}))
			if got := receive(t, seen); got != "x k1 th" {
				t.Errorf("handler saw %q", got)
			}
		},
		"always has a key": func(t *testing.T, w *world) {
			keys := make(chan string, 10)
			w.serve(t, rpc.Options{}, note.Handle(func(ctx context.Context, _ text) error {
				keys <- rpc.KeyFrom(ctx)
				return nil
			}))
			must(t, note.Send(t.Context(), w.conn, text{}))
			must(t, note.Send(t.Context(), w.conn, text{}))
			if a, b := receive(t, keys), receive(t, keys); a == "" || a == b {
				t.Errorf("keys %q and %q", a, b)
			}
		},
		"waits for its service to come back": func(t *testing.T, w *world) {
			handler := newCounted(0, nil)
			stop, ended := w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			stop()
			receive(t, ended)
			must(t, note.Send(t.Context(), w.conn, text{"kept"}))
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			if got := receive(t, handler.done); got != "kept" {
				t.Errorf("got %q", got)
			}
		},
		"to a service that never ran fails at once": func(t *testing.T, w *world) {
			err := rpc.NewCast[text]("nobody.here").Send(t.Context(), w.conn, text{})
			wantError(t, err, rpc.Unavailable, "no_such_service", rpc.RanNo)
		},
		"after its deadline is not done": func(t *testing.T, w *world) {
			handler := newCounted(0, nil)
			w.serve(t, rpc.Options{Prefetch: 1}, note.Handle(handler.handle))
			must(t, note.SendBefore(t.Context(), w.conn, text{"late"}, time.Now().Add(-time.Second)))
			must(t, note.Send(t.Context(), w.conn, text{"good"}))
			if got := receive(t, handler.done); got != "good" {
				t.Errorf("done: %q", got)
			}
			wantParked(t, w.conn, 0)
		},
	})
}

func failureTests(t *testing.T, b *bench) {
	failing := errors.New("the database is away")
	b.cases(t, map[string]func(*testing.T, *world){
		"is tried again": func(t *testing.T, w *world) {
			handler := newCounted(2, failing)
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			must(t, note.Send(t.Context(), w.conn, text{"x"}))
			receive(t, handler.done)
			if n := handler.runs.Load(); n != 3 {
				t.Errorf("%d runs, want 3", n)
			}
			wantParked(t, w.conn, 0)
		},
		"keeps its key and context": func(t *testing.T, w *world) {
			seen := make(chan string, 10)
			w.serve(t, rpc.Options{}, note.Handle(func(ctx context.Context, _ text) error {
				seen <- rpc.KeyFrom(ctx) + rpc.MetaFrom(ctx).RequestID
				return failing
			}))
			must(t, note.Send(rpc.WithMeta(t.Context(), rpc.Meta{RequestID: "r1"}), w.conn, text{}))
			first := receive(t, seen)
			if second := receive(t, seen); first != second {
				t.Errorf("first %q, then %q", first, second)
			}
			wantParked(t, w.conn, 1)
		},
		"is parked after the last attempt": func(t *testing.T, w *world) {
			handler := newCounted(100, failing)
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			must(t, note.Send(t.Context(), w.conn, text{"x"}))
			p := wantParked(t, w.conn, 1)[0]
			if p.Reason != "attempts" || p.Attempts != 3 || handler.runs.Load() != 3 || p.LastError != "internal" {
				t.Errorf("parked %+v after %d runs", p, handler.runs.Load())
			}
		},
		"a panic is a failed attempt": func(t *testing.T, w *world) {
			done := make(chan struct{}, 1)
			var once sync.Once
			w.serve(t, rpc.Options{}, note.Handle(func(context.Context, text) error {
				once.Do(func() { panic("oops") })
				done <- struct{}{}
				return nil
			}))
			must(t, note.Send(t.Context(), w.conn, text{}))
			receive(t, done)
		},
		"permanent is parked at once":        parkedAtOnce(rpc.ErrPermanent, "permanent"),
		"invalid argument is parked at once": parkedAtOnce(rpc.Errorf(rpc.InvalidArgument, "no"), "invalid"),
		"wrong arguments are parked at once": func(t *testing.T, w *world) {
			handler := newCounted(0, nil)
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			must(t, rpc.NewCast[struct{ A int }]("demo.note").Send(t.Context(), w.conn, struct{ A int }{1}))
			if p := wantParked(t, w.conn, 1)[0]; p.Reason != "invalid" || handler.runs.Load() != 0 {
				t.Errorf("parked %+v after %d runs", p, handler.runs.Load())
			}
		},
		"an unknown method is parked in the end": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, note.Handle(newCounted(0, nil).handle))
			must(t, rpc.NewCast[text]("demo.unheard").Send(t.Context(), w.conn, text{}))
			if p := wantParked(t, w.conn, 1)[0]; p.Method != "demo.unheard" {
				t.Errorf("parked %+v", p)
			}
		},
		"a retry after the deadline is dropped": func(t *testing.T, w *world) {
			handler := newCounted(1, failing)
			w.serve(t, rpc.Options{RetryDelays: []time.Duration{time.Minute}}, note.Handle(handler.handle))
			must(t, note.SendBefore(t.Context(), w.conn, text{"dies"}, time.Now().Add(soon)))
			must(t, note.Send(t.Context(), w.conn, text{"lives"}))
			if got := receive(t, handler.done); handler.runs.Load() != 2 {
				t.Errorf("done: %q after %d runs", got, handler.runs.Load())
			}
			wantParked(t, w.conn, 0)
		},
	})
}

func parkedAtOnce(err error, reason string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		handler := newCounted(100, err)
		w.serve(t, rpc.Options{}, note.Handle(handler.handle))
		must(t, note.Send(t.Context(), w.conn, text{}))
		if p := wantParked(t, w.conn, 1)[0]; p.Reason != reason || handler.runs.Load() != 1 {
			t.Errorf("parked %+v after %d runs", p, handler.runs.Load())
		}
	}
}

// wantParked waits until n messages of demo are parked, and returns them.
func wantParked(t *testing.T, conn *rpc.Conn, n int) []rpc.Parked {
	t.Helper()
	eventually(t, "parked messages", func() bool {
		got, err := conn.CountParked(t.Context(), "demo")
		must(t, err)
		return got == n
	})
	parked, err := conn.Parked(t.Context(), "demo", 0)
	must(t, err)
	if len(parked) != n {
		t.Fatalf("%d parked, want %d", len(parked), n)
	}
	return parked
}

func operatorTests(t *testing.T, b *bench) {
	park := func(t *testing.T, w *world, handler *counted, texts ...string) []rpc.Parked {
		t.Helper()
		w.serve(t, rpc.Options{Prefetch: 1}, note.Handle(handler.handle))
		for _, s := range texts {
			must(t, note.Send(rpc.WithKey(t.Context(), "key of "+s), w.conn, text{s}))
		}
		return wantParked(t, w.conn, len(texts))
	}
	b.cases(t, map[string]func(*testing.T, *world){
		"sees what is parked": func(t *testing.T, w *world) {
			p := park(t, w, newCounted(1, rpc.ErrPermanent), "x")[0]
			if p.Method != note.Name() || p.Kind != rpc.KindCast || p.Key != "key of x" || p.ID == "" || string(p.Body) != `{"args":["x"],"kwargs":{}}` {
				t.Errorf("parked %+v, body %s", p, p.Body)
			}
			if time.Since(p.At).Abs() > patience || time.Since(p.FailedAt).Abs() > patience {
				t.Errorf("failed %v, parked %v", p.FailedAt, p.At)
			}
			if again := wantParked(t, w.conn, 1)[0]; again.ID != p.ID {
				t.Errorf("id %s, then %s", p.ID, again.ID)
			}
		},
		"looks at a few": func(t *testing.T, w *world) {
			park(t, w, newCounted(3, rpc.ErrPermanent), "a", "b", "c")
			for range 30 {
				few, err := w.conn.Parked(t.Context(), "demo", 2)
				must(t, err)
				if len(few) != 2 {
					t.Fatalf("got %d", len(few))
				}
			}
			wantParked(t, w.conn, 3)
		},
		"replays one": func(t *testing.T, w *world) {
			handler := newCounted(2, rpc.ErrPermanent)
			for _, p := range park(t, w, handler, "a", "b") {
				if p.Key == "key of b" {
					must(t, w.conn.Replay(t.Context(), "demo", p.ID))
				}
			}
			if got := receive(t, handler.done); got != "b" {
				t.Errorf("replayed %q", got)
			}
			wantParked(t, w.conn, 1)
		},
		"replays all": func(t *testing.T, w *world) {
			handler := newCounted(2, rpc.ErrPermanent)
			park(t, w, handler, "a", "b")
			n, err := w.conn.ReplayAll(t.Context(), "demo")
			if n != 2 || err != nil {
				t.Errorf("replayed %d, %v", n, err)
			}
			receive(t, handler.done)
			receive(t, handler.done)
			wantParked(t, w.conn, 0)
		},
		"drops one": func(t *testing.T, w *world) {
			p := park(t, w, newCounted(2, rpc.ErrPermanent), "a", "b")[0]
			must(t, w.conn.Drop(t.Context(), "demo", p.ID))
			if left := wantParked(t, w.conn, 1)[0]; left.ID == p.ID {
				t.Error("the wrong one is gone")
			}
			wantError(t, w.conn.Drop(t.Context(), "demo", p.ID), rpc.NotFound, "not_parked", rpc.RanNo)
		},
		"learns of a service that is not there": func(t *testing.T, w *world) {
			_, err := w.conn.CountParked(t.Context(), "nobody")
			wantError(t, err, rpc.NotFound, "no_such_service", rpc.RanNo)
			_, err = w.conn.Parked(t.Context(), "nobody", 1)
			wantError(t, err, rpc.NotFound, "no_such_service", rpc.RanNo)
		},
	})
}
