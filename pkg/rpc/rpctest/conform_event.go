package rpctest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"matriq/pkg/rpc"
)

func eventTests(t *testing.T, b *bench) {
	b.cases(t, map[string]func(*testing.T, *world){
		"without a subscriber is no error": func(t *testing.T, w *world) {
			must(t, told.Emit(t.Context(), w.conn, text{"x"}))
		},
		"reaches every service once": func(t *testing.T, w *world) {
			seen := make(chan string, 10)
			subscribe := func(handler string) rpc.Route {
				return told.On(handler, func(ctx context.Context, e text) error {
					if rpc.KeyFrom(ctx) == "" {
						t.Error("no key")
					}
					seen <- handler + " " + e.Text
					return nil
				})
			}
			w.serve(t, rpc.Options{Service: "one"}, subscribe("one.on_told"))
			w.serve(t, rpc.Options{Service: "one"}, subscribe("one.on_told"))
			w.serve(t, rpc.Options{Service: "two"}, subscribe("two.on_told"))
			must(t, told.Emit(t.Context(), w.conn, text{"x"}))
			got := []string{receive(t, seen), receive(t, seen)}
			slices.Sort(got)
			if !slices.Equal(got, []string{"one.on_told x", "two.on_told x"}) {
				t.Errorf("seen %q", got)
			}
		},
		"is tried again by the one that failed": func(t *testing.T, w *world) {
			failing, fine := newCounted(1, errors.New("not now")), newCounted(0, nil)
			w.serve(t, rpc.Options{Service: "one"}, told.On("one.on_told", failing.handle))
			w.serve(t, rpc.Options{Service: "two"}, told.On("two.on_told", fine.handle))
			must(t, told.Emit(t.Context(), w.conn, text{"x"}))
			receive(t, failing.done)
			receive(t, fine.done)
			if failing.runs.Load() != 2 || fine.runs.Load() != 1 {
				t.Errorf("%d and %d runs, want 2 and 1", failing.runs.Load(), fine.runs.Load())
			}
		},
		"of several is handled together, and again after a failure": func(t *testing.T, w *world) {
			seen := make(chan []text, 10)
			var runs atomic.Int32
			w.serve(t, rpc.Options{Service: "one"}, told.OnAll("one.on_told", func(_ context.Context, all []text) error {
				seen <- all
				if runs.Add(1) == 1 {
					return errors.New("not now")
				}
				return nil
			}))
			one := newCounted(1, errors.New("not now"))
			w.serve(t, rpc.Options{Service: "two"}, told.On("two.on_told", one.handle))
			body := `{"text":"x","more":[{"key":"k2","event":{"text":"y"}},{"key":"k3","event":{"text":"z"}}]}`
			must(t, w.Publish(rpc.Wire{Exchange: "demo.events", Key: "told", ContentType: "application/json", Body: []byte(body)}))
			for range 2 {
				if got := receive(t, seen); !slices.Equal(got, []text{{"x"}, {"y"}, {"z"}}) {
					t.Errorf("seen %q", got)
				}
			}
			for _, want := range []string{"x", "y", "z"} {
				if got := receive(t, one.done); got != want {
					t.Errorf("seen %q, want %q", got, want)
				}
			}
			if n := one.runs.Load(); n != 4 {
				t.Errorf("%d runs, want 1 that failed and 3", n)
			}
		},
		"is parked and replayed as an event": func(t *testing.T, w *world) {
			handler := newCounted(1, rpc.ErrPermanent)
			w.serve(t, rpc.Options{}, told.On("demo.on_told", handler.handle))
			must(t, told.Emit(t.Context(), w.conn, text{"x"}))
			p := wantParked(t, w.conn, 1)[0]
			if p.Kind != rpc.KindEvent || p.Method != "demo.on_told" {
				t.Errorf("parked %+v", p)
			}
			must(t, w.conn.Replay(t.Context(), "demo", p.ID))
			receive(t, handler.done)
			wantParked(t, w.conn, 0)
		},
	})
}
