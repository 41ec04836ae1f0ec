package rpctest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/rpc"
)

func callTests(t *testing.T, b *bench) {
	b.cases(t, map[string]func(*testing.T, *world){
		"replies": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, echo.Handle(func(_ context.Context, a text) (string, error) { return a.Text, nil }))
			got, err := echo.Call(t.Context(), w.conn, text{"สวัสดี"})
			if got != "สวัสดี" || err != nil {
				t.Errorf("echo = %q, %v", got, err)
			}
		},
		"carries the context": carriesContext,
		"reaches nested calls": func(t *testing.T, w *world) {
			inner := rpc.NewMethod[text, string]("inner.who", soon)
			conn := w.connect(t, rpc.Options{Service: "demo"})
			w.serve(t, rpc.Options{Service: "inner"}, inner.Handle(func(ctx context.Context, _ text) (string, error) {
				return rpc.MetaFrom(ctx).RequestID + "/" + rpc.KeyFrom(ctx), nil
			}))
			w.serve(t, rpc.Options{}, echo.Handle(func(ctx context.Context, a text) (string, error) {
				return inner.Call(ctx, conn, a)
			}))
			ctx := rpc.WithKey(rpc.WithMeta(t.Context(), rpc.Meta{RequestID: "r1"}), "outer")
			got, err := echo.Call(ctx, w.conn, text{})
			if got != "r1/" || err != nil {
				t.Errorf("inner saw %q, %v; want the request's id and not the outer key", got, err)
			}
		},
		"does a called cast": func(t *testing.T, w *world) {
			handler := newCounted(0, nil)
			w.serve(t, rpc.Options{}, note.Handle(handler.handle))
			called := rpc.NewMethod[text, *string](note.Name(), soon)
			got, err := called.Call(t.Context(), w.conn, text{"x"})
			if got != nil || err != nil || handler.runs.Load() != 1 {
				t.Errorf("reply %v, %v after %d runs; want null after one", got, err, handler.runs.Load())
			}
		},
	})
}

func carriesContext(t *testing.T, w *world) {
	t.Helper()
	want := rpc.Meta{Language: "th", RequestID: "r1", ClientIP: "192.0.2.1"}
	deadline := time.Now().Add(soon / 2)
	w.serve(t, rpc.Options{}, echo.Handle(func(ctx context.Context, _ text) (string, error) {
		if got := rpc.MetaFrom(ctx); got != want {
			t.Errorf("meta = %+v, want %+v", got, want)
		}
		got, ok := ctx.Deadline()
		if !ok || got.Sub(deadline).Abs() > 2*time.Millisecond {
			t.Errorf("deadline = %v, want %v", got, deadline)
		}
		return rpc.KeyFrom(ctx), nil
	}))
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	key, err := echo.Call(rpc.WithKey(rpc.WithMeta(ctx, want), "k1"), w.conn, text{})
	if key != "k1" || err != nil {
		t.Errorf("key = %q, %v", key, err)
	}
}

func outcomeTests(t *testing.T, b *bench) {
	refuse := func(err error) rpc.Route {
		return echo.Handle(func(context.Context, text) (string, error) { return "", err })
	}
	b.cases(t, map[string]func(*testing.T, *world){
		"a coded error arrives whole": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, refuse(rpc.Errorf(rpc.ResourceExhausted, "wait a moment").Because("resend_too_soon").After(42*time.Second)))
			_, err := echo.Call(t.Context(), w.conn, text{})
			wantError(t, err, rpc.ResourceExhausted, "resend_too_soon", rpc.RanYes)
			if e, _ := errors.AsType[*rpc.Error](err); !e.Remote || e.Message != "wait a moment" || e.RetryAfter != 42*time.Second {
				t.Errorf("err = %+v", e)
			}
		},
		"an uncoded error is internal and keeps its text": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, refuse(errors.New("password is swordfish")))
			_, err := echo.Call(t.Context(), w.conn, text{})
			wantError(t, err, rpc.Internal, "", rpc.RanYes)
			if strings.Contains(err.Error(), "swordfish") {
				t.Errorf("the cause went over the wire: %v", err)
			}
		},
		"a panic is internal and harms nobody else": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, echo.Handle(func(_ context.Context, a text) (string, error) {
				if a.Text == "bad" {
					panic("oops")
				}
				return a.Text, nil
			}))
			_, err := echo.Call(t.Context(), w.conn, text{"bad"})
			wantError(t, err, rpc.Internal, "", rpc.RanYes)
			if got, err := echo.Call(t.Context(), w.conn, text{"good"}); got != "good" || err != nil {
				t.Errorf("afterwards: %q, %v", got, err)
			}
		},
		"no such service, at once": func(t *testing.T, w *world) {
			start := time.Now()
			_, err := rpc.NewMethod[text, string]("nobody.here", soon).Idempotent().Call(t.Context(), w.conn, text{})
			wantError(t, err, rpc.Unavailable, "no_such_service", rpc.RanNo)
			if took := time.Since(start); took > soon/2 {
				t.Errorf("it took %v", took)
			}
		},
		"nobody at home, at once where that is wanted": nobodyHome,
		"no such method": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, refuse(nil))
			_, err := rpc.NewMethod[text, string]("demo.nothing", soon).Call(t.Context(), w.conn, text{})
			wantError(t, err, rpc.InvalidArgument, "method_not_found", rpc.RanNo)
		},
		"wrong arguments": func(t *testing.T, w *world) {
			w.serve(t, rpc.Options{}, refuse(nil))
			_, err := rpc.NewMethod[struct{ A, B, C int }, string]("demo.echo", soon).Call(t.Context(), w.conn, struct{ A, B, C int }{})
			wantError(t, err, rpc.InvalidArgument, "incorrect_signature", rpc.RanNo)
		},
		"the deadline ends both sides": func(t *testing.T, w *world) {
			ended := make(chan error, 1)
			w.serve(t, rpc.Options{}, echo.Handle(func(ctx context.Context, _ text) (string, error) {
				<-ctx.Done()
				ended <- ctx.Err()
				return "", ctx.Err()
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := echo.Call(ctx, w.conn, text{})
			if rpc.CodeOf(err) != rpc.DeadlineExceeded {
				t.Errorf("err = %v", err)
			}
			if err := receive(t, ended); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the handler's context ended with %v", err)
			}
		},
		"work whose caller has gone is not done": callerGone,
	})
}

// nobodyHome calls a service that was there and has stopped, and then one that
// is back.
func nobodyHome(t *testing.T, w *world) {
	t.Helper()
	attended := rpc.NewMethod[text, string]("demo.echo", soon).Attended()
	_, err := attended.Call(t.Context(), w.conn, text{})
	wantError(t, err, rpc.Unavailable, "no_such_service", rpc.RanNo)
	route := echo.Handle(func(_ context.Context, a text) (string, error) { return a.Text, nil })
	stop, ended := w.serve(t, rpc.Options{}, route)
	stop()
	<-ended
	start := time.Now()
	_, err = attended.Call(t.Context(), w.conn, text{})
	wantError(t, err, rpc.Unavailable, "unattended", rpc.RanNo)
	if took := time.Since(start); took > soon/2 {
		t.Errorf("it took %v", took)
	}
	w.serve(t, rpc.Options{}, route)
	if got, err := attended.Call(t.Context(), w.conn, text{"x"}); got != "x" || err != nil {
		t.Errorf("once it is back: %q, %v", got, err)
	}
}

// callerGone lets a second call wait behind the first until its deadline.
func callerGone(t *testing.T, w *world) {
	t.Helper()
	var runs atomic.Int64
	entered, leave := make(chan struct{}, 3), make(chan struct{})
	w.serve(t, rpc.Options{Prefetch: 1}, echo.Handle(func(context.Context, text) (string, error) {
		runs.Add(1)
		entered <- struct{}{}
		<-leave
		return "", nil
	}))
	first := make(chan error, 1)
	go func() {
		_, err := echo.Call(t.Context(), w.conn, text{})
		first <- err
	}()
	receive(t, entered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := echo.Call(ctx, w.conn, text{})
	wantError(t, err, rpc.DeadlineExceeded, "", rpc.RanMaybe)
	close(leave)
	must(t, receive(t, first))
	if _, err := echo.Call(t.Context(), w.conn, text{}); err != nil || runs.Load() != 2 {
		t.Errorf("%d runs, %v; want 2: the call in between had expired", runs.Load(), err)
	}
}
