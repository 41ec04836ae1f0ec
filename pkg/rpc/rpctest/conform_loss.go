package rpctest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/rpc"
)

func lossTests(t *testing.T, b *bench) {
	cases := map[string]func(*testing.T, *world){
		"a call under way may have run": func(t *testing.T, w *world) {
			entered, leave := make(chan struct{}, 10), make(chan struct{})
			defer close(leave)
			w.serve(t, rpc.Options{}, echo.Handle(stuck(entered, leave)))
			result := make(chan error, 1)
			go func() {
				_, err := echo.Call(t.Context(), w.conn, text{})
				result <- err
			}()
			receive(t, entered)
			w.Cut()
			wantError(t, receive(t, result), rpc.Unavailable, "connection_lost", rpc.RanMaybe)
		},
		"an idempotent call is made again": func(t *testing.T, w *world) {
			entered, leave := make(chan struct{}, 10), make(chan struct{})
			w.serve(t, rpc.Options{}, echoAgain.Handle(stuck(entered, leave)))
			result := make(chan error, 1)
			go func() {
				_, err := echoAgain.Call(t.Context(), w.conn, text{})
				result <- err
			}()
			receive(t, entered)
			w.Cut()
			receive(t, entered)
			close(leave)
			must(t, receive(t, result))
		},
		"a cast under way is done again": func(t *testing.T, w *world) {
			entered, leave := make(chan struct{}, 10), make(chan struct{})
			var runs atomic.Int64
			w.serve(t, rpc.Options{}, note.Handle(func(ctx context.Context, a text) error {
				runs.Add(1)
				_, err := stuck(entered, leave)(ctx, a)
				return err
			}))
			must(t, note.Send(t.Context(), w.conn, text{}))
			receive(t, entered)
			w.Cut()
			receive(t, entered)
			close(leave)
			wantParked(t, w.conn, 0)
			if n := runs.Load(); n < 2 {
				t.Errorf("%d runs", n)
			}
		},
		"an event that comes again is not lost": func(t *testing.T, w *world) {
			entered, leave := make(chan struct{}, 10), make(chan struct{})
			w.serve(t, rpc.Options{}, told.On("demo.on_told", func(ctx context.Context, e text) error {
				_, err := stuck(entered, leave)(ctx, e)
				return err
			}))
			must(t, told.Emit(t.Context(), w.conn, text{}))
			receive(t, entered)
			w.Cut()
			receive(t, entered)
			close(leave)
		},
		"all goes on afterwards": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, echo.Handle(func(_ context.Context, a text) (string, error) { return a.Text, nil }))
			for i := range 3 {
				w.Cut()
				eventually(t, "a call", func() bool {
					got, err := echo.Call(t.Context(), w.conn, text{fmt.Sprint(i)})
					return err == nil && got == fmt.Sprint(i)
				})
			}
		},
		"no confirmed cast is lost": confirmedCasts,
	}
	b.cases(t, cases)
	if b.fresh(t).Block != nil {
		b.cases(t, blockCases())
	}
}

// stuck tells that it runs and waits to be let go.
func stuck(entered chan<- struct{}, leave <-chan struct{}) func(context.Context, text) (string, error) {
	return func(context.Context, text) (string, error) {
		entered <- struct{}{}
		<-leave
		return "", nil
	}
}

// confirmedCasts cuts all connections again and again while casts are sent.
func confirmedCasts(t *testing.T, w *world) {
	t.Helper()
	const casts, cuts = 300, 3
	var mu sync.Mutex
	done := make(map[string]bool)
	w.serve(t, rpc.Options{}, note.Handle(func(_ context.Context, a text) error {
		mu.Lock()
		defer mu.Unlock()
		done[a.Text] = true
		return nil
	}))
	var senders sync.WaitGroup
	var stored sync.Map
	for i := range casts {
		senders.Go(func() {
			name := fmt.Sprint(i)
			if note.Send(t.Context(), w.conn, text{name}) == nil {
				stored.Store(name, true)
			}
		})
		if i%(casts/cuts) == casts/cuts/2 {
			w.Cut()
		}
	}
	senders.Wait()
	confirmed := 0
	stored.Range(func(name, _ any) bool {
		confirmed++
		eventually(t, fmt.Sprintf("cast %s", name), func() bool {
			mu.Lock()
			defer mu.Unlock()
			key, _ := name.(string)
			return done[key]
		})
		return true
	})
	if confirmed < casts/2 {
		t.Errorf("only %d of %d casts were confirmed", confirmed, casts)
	}
}

func blockCases() map[string]func(*testing.T, *world) {
	return map[string]func(*testing.T, *world){
		"a blocked call fails at once": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, echo.Handle(func(context.Context, text) (string, error) { return "", nil }))
			w.Block(true)
			defer w.Block(false)
			start := time.Now()
			_, err := echo.Call(t.Context(), w.conn, text{})
			wantError(t, err, rpc.Unavailable, "overloaded", rpc.RanNo)
			if took := time.Since(start); took > soon/2 {
				t.Errorf("it took %v", took)
			}
			if w.conn.Ready() == nil {
				t.Error("a blocked connection says it is ready")
			}
		},
		"a blocked cast waits": func(t *testing.T, w *world) {
			handler := newCounted(0, nil)
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			must(t, note.Send(t.Context(), w.conn, text{"first"}))
			receive(t, handler.done)
			w.Block(true)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			wantError(t, note.Send(ctx, w.conn, text{"gives up"}), rpc.Unavailable, "overloaded", rpc.RanNo)
			sent := make(chan error, 1)
			go func() { sent <- note.Send(t.Context(), w.conn, text{"waits"}) }()
			w.Block(false)
			must(t, receive(t, sent))
			if got := receive(t, handler.done); got != "waits" {
				t.Errorf("done: %q", got)
			}
		},
	}
}
