package rpctest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"matriq/pkg/rpc"
)

func drainTests(t *testing.T, b *bench) {
	b.cases(t, map[string]func(*testing.T, *world){
		"what runs is finished and answered": func(t *testing.T, w *world) {
			entered, leave := make(chan struct{}, 1), make(chan struct{})
			stop, ended := w.serve(t, rpc.Options{}, echo.Handle(stuck(entered, leave)))
			result := make(chan error, 1)
			go func() {
				_, err := echo.Call(t.Context(), w.conn, text{})
				result <- err
			}()
			receive(t, entered)
			stop()
			close(leave)
			must(t, receive(t, result))
			receive(t, ended)
		},
		"what does not end is cancelled, and its cast done elsewhere": func(t *testing.T, w *world) {
			entered := make(chan struct{}, 10)
			cancelled := make(chan error, 10)
			stop, ended := w.serve(t, rpc.Options{DrainTimeout: 50 * time.Millisecond}, note.Handle(func(ctx context.Context, _ text) error {
				entered <- struct{}{}
				<-ctx.Done()
				cancelled <- ctx.Err()
				return ctx.Err()
			}))
			must(t, note.Send(t.Context(), w.conn, text{"x"}))
			receive(t, entered)
			stop()
			if err := receive(t, cancelled); !errors.Is(err, context.Canceled) {
				t.Errorf("the handler's context ended with %v", err)
			}
			receive(t, ended)
			handler := newCounted(0, nil)
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			receive(t, handler.done)
		},
		"two routes of one name are refused": func(t *testing.T, w *world) {
			r := note.Handle(newCounted(0, nil).handle)
			if err := w.conn.Serve(t.Context(), r, r); err == nil {
				t.Error("served")
			}
		},
	})
}

func builtinTests(t *testing.T, b *bench) {
	b.cases(t, map[string]func(*testing.T, *world){
		"ping": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{Instance: "i1", Version: "v1"}, note.Handle(newCounted(0, nil).handle))
			got, err := rpc.Ping("demo").Call(t.Context(), w.conn, rpc.Nothing{})
			if want := (rpc.Pong{Service: "demo", Instance: "i1", Version: "v1"}); got != want || err != nil {
				t.Errorf("ping = %+v, %v", got, err)
			}
		},
		"describe": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, echo.Handle(func(_ context.Context, a text) (string, error) {
				if a.Text == "" {
					return "", rpc.Errorf(rpc.NotFound, "nothing")
				}
				return a.Text, nil
			}))
			for _, s := range []string{"a", "b", ""} {
				_, _ = echo.Call(t.Context(), w.conn, text{s}) // the last one fails on purpose
			}
			d, err := rpc.Describe("demo").Call(t.Context(), w.conn, rpc.Nothing{})
			must(t, err)
			i := slices.IndexFunc(d.Methods, func(m rpc.MethodDescription) bool { return m.Name == echo.Name() })
			if i < 0 || d.Methods[i].Count != 3 || d.Methods[i].Errors != 1 || d.Methods[i].P99MS <= 0 {
				t.Errorf("description %+v", d)
			}
		},
	})
}

func crowdTests(t *testing.T, b *bench) {
	b.cases(t, map[string]func(*testing.T, *world){
		"everybody gets their own reply": func(t *testing.T, w *world) {
			for range 2 {
				w.serve(t, rpc.Options{}, echo.Handle(func(_ context.Context, a text) (string, error) { return a.Text, nil }))
			}
			var crowd sync.WaitGroup
			for i := range 500 {
				crowd.Go(func() {
					want := fmt.Sprint(i)
					if got, err := echo.Call(t.Context(), w.conn, text{want}); got != want || err != nil {
						t.Errorf("echo %s = %q, %v", want, got, err)
					}
				})
			}
			crowd.Wait()
		},
	})
}
