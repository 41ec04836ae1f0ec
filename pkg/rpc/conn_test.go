package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
)

type text struct {
	Text string `json:"text"`
}

var (
	echo      = rpc.NewMethod[text, string]("demo.echo", 2*time.Second)
	echoAgain = rpc.NewMethod[text, string]("demo.again", 2*time.Second).Idempotent()
	note      = rpc.NewCast[text]("demo.note")
	told      = rpc.NewEvent[text]("demo", "told")
)

func echoed(_ context.Context, a text) (string, error) { return a.Text, nil }

// inBubble runs test with a broker in memory and virtual time.
func inBubble(t *testing.T, test func(*testing.T, *rpc.MemoryBroker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, rpc.NewMemoryBroker()) })
}

// serve serves routes as demo and returns a connection of another program.
func serve(t *testing.T, b *rpc.MemoryBroker, o rpc.Options, routes ...rpc.Route) *rpc.Conn {
	t.Helper()
	o.Service = "demo"
	rpctest.Serve(t, b, o, routes...)
	return connect(t, b, rpc.Options{Service: "caller"})
}

func connect(t *testing.T, b *rpc.MemoryBroker, o rpc.Options) *rpc.Conn {
	t.Helper()
	conn := b.Connect(o)
	t.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func wantError(t *testing.T, err error, code rpc.Code, reason string, ran rpc.Ran) {
	t.Helper()
	e, ok := errors.AsType[*rpc.Error](err)
	if !ok || e.Code != code || e.Reason != reason || e.Ran != ran {
		t.Errorf("err = %+v, want %s (%s), ran %s", err, code, reason, ran)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCall_waitsForItsTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, echo.Handle(func(ctx context.Context, _ text) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}))
		start := time.Now()
		_, err := echo.Call(t.Context(), conn, text{})
		if rpc.CodeOf(err) != rpc.DeadlineExceeded || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v, want a deadline after 2s", err, time.Since(start))
		}
	})
}

func TestCall_withoutADeadlineHasOneAllTheSame(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		release := make(chan struct{})
		conn := serve(t, b, rpc.Options{}, echo.Handle(func(context.Context, text) (string, error) {
			<-release
			return "", nil
		}))
		start := time.Now()
		must(t, b.Tap("nameko-rpc", "demo.echo", func(w rpc.Wire) {
			if want := start.Add(30 * time.Second).UnixMilli(); w.Headers["matriq.deadline"] != want || w.Expiration != 30*time.Second {
				t.Errorf("deadline %v, expiration %v", w.Headers["matriq.deadline"], w.Expiration)
			}
		}))
		_, err := conn.Call(t.Context(), rpc.Message{Kind: rpc.KindCall, Target: "demo.echo", Body: []byte(`{"args":["x"],"kwargs":{}}`)})
		wantError(t, err, rpc.DeadlineExceeded, "", rpc.RanMaybe)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("it took %v", took)
		}
		close(release)
	})
}

func TestCall_bridgesAShortLoss(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, echo.Handle(echoed))
		b.Disconnect()
		time.AfterFunc(time.Second, b.Reconnect)
		if got, err := echo.Call(t.Context(), conn, text{"x"}); got != "x" || err != nil {
			t.Errorf("echo = %q, %v", got, err)
		}
	})
}

func TestCall_givesUpOnALongLoss(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := connect(t, b, rpc.Options{Service: "caller"})
		b.Disconnect()
		start := time.Now()
		_, err := rpc.NewMethod[text, string]("demo.echo", time.Minute).Call(t.Context(), conn, text{})
		wantError(t, err, rpc.Unavailable, "not_connected", rpc.RanNo)
		if took := time.Since(start); took < time.Second || took > 4*time.Second {
			t.Errorf("it took %v, want what eight tries take", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer cancel()
		start = time.Now()
		_, err = echo.Call(ctx, conn, text{})
		wantError(t, err, rpc.Unavailable, "not_connected", rpc.RanNo)
		if took := time.Since(start); took > 40*time.Millisecond {
			t.Errorf("it took %v, longer than the deadline", took)
		}
	})
}

// A request that nobody confirmed may have run: it is made again only if that
// does no harm.
func TestCall_unconfirmed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		release := make(chan struct{})
		defer close(release)
		slow := func(_ context.Context, a text) (string, error) {
			if a.Text == "slow" {
				<-release
			}
			return a.Text, nil
		}
		conn := serve(t, b, rpc.Options{}, echo.Handle(slow), echoAgain.Handle(echoed))
		b.LoseConfirms(1)
		_, err := echo.Call(t.Context(), conn, text{"slow"})
		wantError(t, err, rpc.Unavailable, "connection_lost", rpc.RanMaybe)
		b.LoseConfirms(1)
		if got, err := echoAgain.Call(t.Context(), conn, text{"x"}); got != "x" || err != nil {
			t.Errorf("again = %q, %v", got, err)
		}
	})
}

// The last try did not get out; the first one may have run.
func TestCall_unconfirmedAndThenNoConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		began, release := make(chan struct{}), make(chan struct{})
		defer close(release)
		conn := serve(t, b, rpc.Options{}, echoAgain.Handle(func(context.Context, text) (string, error) {
			close(began)
			<-release
			return "", nil
		}))
		failed := make(chan error, 1)
		go func() {
			_, err := echoAgain.Call(t.Context(), conn, text{})
			failed <- err
		}()
		<-began
		b.Disconnect()
		wantError(t, <-failed, rpc.Unavailable, "connection_lost", rpc.RanMaybe)
	})
}

func TestCall_afterItsContextEnded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, echo.Handle(echoed))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := echo.Call(ctx, conn, text{})
		wantError(t, err, rpc.DeadlineExceeded, "", rpc.RanNo)
	})
}

// A reply that went out after the caller gave up is dropped, and its request is
// settled.
func TestCall_lateReply(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, echo.Handle(func(context.Context, text) (string, error) {
			time.Sleep(5 * time.Second) //nolint:forbidigo // virtual: a handler that ignores its context
			return "late", nil
		}))
		_, err := echo.Call(t.Context(), conn, text{})
		wantError(t, err, rpc.DeadlineExceeded, "", rpc.RanMaybe)
		time.Sleep(10 * time.Second) //nolint:forbidigo // virtual
		if n := b.Unsettled("rpc-demo"); n != 0 {
			t.Errorf("%d requests are unsettled", n)
		}
	})
}

// Requests wait in the queue of a service that is down, but no longer than
// their callers.
func TestCall_expiresInTheQueue(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		var runs atomic.Int64
		conn := serve(t, b, rpc.Options{Prefetch: 1}, echo.Handle(func(ctx context.Context, _ text) (string, error) {
			runs.Add(1)
			<-ctx.Done()
			return "", ctx.Err()
		}))
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				_, err := echo.Call(t.Context(), conn, text{})
				if rpc.CodeOf(err) != rpc.DeadlineExceeded {
					t.Errorf("err = %v", err)
				}
			})
		}
		callers.Wait()
		synctest.Wait()
		if n := b.Depth("rpc-demo"); n != 0 || runs.Load() != 1 {
			t.Errorf("%d requests left, %d runs; want none and one", n, runs.Load())
		}
	})
}

func TestCall_nestedInheritsTheDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		inner := rpc.NewMethod[text, string]("inner.wait", time.Minute)
		rpctest.Serve(t, b, rpc.Options{Service: "inner"}, inner.Handle(func(ctx context.Context, _ text) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}))
		middle := connect(t, b, rpc.Options{Service: "demo"})
		conn := serve(t, b, rpc.Options{}, echo.Handle(func(ctx context.Context, a text) (string, error) {
			return inner.Call(ctx, middle, a)
		}))
		start := time.Now()
		_, err := echo.Call(t.Context(), conn, text{})
		if rpc.CodeOf(err) != rpc.DeadlineExceeded || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestCall_ofACastIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := connect(t, b, rpc.Options{Service: "caller"})
		m, err := note.Message(t.Context(), text{})
		must(t, err)
		_, err = conn.Call(t.Context(), m)
		wantError(t, err, rpc.Internal, "", rpc.RanNo)
		m.Kind = rpc.KindCall
		wantError(t, conn.Cast(t.Context(), m), rpc.Internal, "", rpc.RanNo)
	})
}

func TestCast_waitsForTheBroker(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		done := make(chan string, 10)
		conn := serve(t, b, rpc.Options{}, note.Handle(func(_ context.Context, a text) error {
			done <- a.Text
			return nil
		}))
		b.Disconnect()
		time.AfterFunc(20*time.Second, b.Reconnect)
		start := time.Now()
		must(t, note.Send(t.Context(), conn, text{"x"}))
		if took := time.Since(start); took != 20*time.Second || <-done != "x" {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCast_givesUpWithItsContext(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, note.Handle(func(context.Context, text) error { return nil }))
		must(t, note.Send(t.Context(), conn, text{}))
		b.Disconnect()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		wantError(t, note.Send(ctx, conn, text{}), rpc.Unavailable, "not_connected", rpc.RanNo)
	})
}

// A cast whose confirm was lost is sent again; both have one key.
func TestCast_repeatsUnderItsKey(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		keys := make(chan string, 10)
		conn := serve(t, b, rpc.Options{}, note.Handle(func(ctx context.Context, _ text) error {
			keys <- rpc.KeyFrom(ctx)
			return nil
		}))
		b.LoseConfirms(1)
		must(t, note.Send(t.Context(), conn, text{}))
		if first, second := <-keys, <-keys; first == "" || first != second {
			t.Errorf("keys %q and %q", first, second)
		}
	})
}

// The last try did not get out; the first one may have been stored.
func TestCast_unconfirmedAndThenNoConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		stored := make(chan struct{}, 1)
		conn := serve(t, b, rpc.Options{}, note.Handle(func(context.Context, text) error {
			go b.Disconnect()
			stored <- struct{}{}
			return nil
		}))
		b.LoseConfirms(1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		wantError(t, note.Send(ctx, conn, text{}), rpc.Unavailable, "connection_lost", rpc.RanMaybe)
		<-stored
	})
}

// attempts serves note with a handler that always fails, and notes when.
func attempts(t *testing.T, b *rpc.MemoryBroker, o rpc.Options) (conn *rpc.Conn, at func() []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var seen []time.Duration
	start := time.Now()
	conn = serve(t, b, o, note.Handle(func(context.Context, text) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, time.Since(start))
		return errors.New("not today")
	}))
	return conn, func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func TestRetry_delays(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn, at := attempts(t, b, rpc.Options{})
		must(t, note.Send(t.Context(), conn, text{}))
		time.Sleep(time.Hour) //nolint:forbidigo // virtual
		want := []time.Duration{0, 1 * time.Second, 6 * time.Second, 36 * time.Second, 156 * time.Second, 756 * time.Second}
		if got := at(); !slices.Equal(got, want) {
			t.Errorf("attempts at %v, want %v", got, want)
		}
		parked, err := conn.Parked(t.Context(), "demo", 0)
		must(t, err)
		if len(parked) != 1 || parked[0].Attempts != 6 || parked[0].At.Sub(parked[0].FailedAt) != 756*time.Second {
			t.Errorf("parked %+v", parked)
		}
	})
}

func TestRetry_stopsAtTheDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn, at := attempts(t, b, rpc.Options{})
		must(t, note.SendBefore(t.Context(), conn, text{}, time.Now().Add(10*time.Second)))
		time.Sleep(7 * time.Second) //nolint:forbidigo // virtual
		synctest.Wait()
		if n := b.Depth("demo.retry.v1.30s"); n != 0 {
			t.Error("it waits for an attempt that will not be made")
		}
		time.Sleep(time.Hour) //nolint:forbidigo // virtual
		if got := at(); len(got) != 3 {
			t.Errorf("attempts at %v, want three within 10s", got)
		}
		if n, err := conn.CountParked(t.Context(), "demo"); n != 0 || err != nil {
			t.Errorf("%d parked, %v", n, err)
		}
	})
}

// A replay starts from the beginning.
func TestReplay_hasAllAttempts(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn, at := attempts(t, b, rpc.Options{RetryDelays: []time.Duration{time.Second, time.Second}})
		must(t, note.Send(t.Context(), conn, text{}))
		time.Sleep(time.Minute) //nolint:forbidigo // virtual
		parked, err := conn.Parked(t.Context(), "demo", 0)
		must(t, err)
		must(t, conn.Replay(t.Context(), "demo", parked[0].ID))
		time.Sleep(time.Minute) //nolint:forbidigo // virtual
		if got := at(); len(got) != 6 {
			t.Errorf("attempts at %v, want three and three", got)
		}
		again, err := conn.Parked(t.Context(), "demo", 0)
		must(t, err)
		if len(again) != 1 || again[0].ID != parked[0].ID || again[0].Attempts != 3 || again[0].FailedAt.Sub(parked[0].FailedAt) != time.Minute {
			t.Errorf("first %+v, then %+v", parked, again)
		}
	})
}

func TestRetry_survivesARestartOfTheBroker(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn, at := attempts(t, b, rpc.Options{RetryDelays: []time.Duration{time.Minute}})
		must(t, note.Send(t.Context(), conn, text{}))
		time.Sleep(time.Second) //nolint:forbidigo // virtual
		b.Restart()
		time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual
		if got := at(); !slices.Equal(got, []time.Duration{0, time.Minute}) {
			t.Errorf("attempts at %v", got)
		}
	})
}

// An attempt that cannot be passed on, since the broker takes nothing, is not
// lost.
func TestRetry_whileTheBrokerIsBlocked(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn, at := attempts(t, b, rpc.Options{RetryDelays: []time.Duration{time.Second}})
		must(t, note.Send(t.Context(), conn, text{}))
		b.Block(true)
		time.AfterFunc(10*time.Second, func() { b.Block(false) })
		time.Sleep(time.Minute) //nolint:forbidigo // virtual
		if got := at(); len(got) != 2 {
			t.Errorf("attempts at %v", got)
		}
		if n, err := conn.CountParked(t.Context(), "demo"); n != 1 || err != nil {
			t.Errorf("%d parked, %v", n, err)
		}
	})
}

func TestHandlerTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		took := make(chan time.Duration, 10)
		conn := serve(t, b, rpc.Options{HandlerTimeout: time.Minute}, note.Handle(func(ctx context.Context, _ text) error {
			start := time.Now()
			<-ctx.Done()
			took <- time.Since(start)
			return rpc.ErrPermanent
		}))
		must(t, note.Send(t.Context(), conn, text{}))
		if got := <-took; got != time.Minute {
			t.Errorf("the handler had %v", got)
		}
	})
}

// What kills its worker each time ends up with the operator, be it a cast, or an
// event, whose own queue has no delivery limit.
func TestDeliveryLimit(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(context.Context, *rpc.Conn) error{
		"cast":  func(ctx context.Context, c *rpc.Conn) error { return note.Send(ctx, c, text{}) },
		"event": func(ctx context.Context, c *rpc.Conn) error { return told.Emit(ctx, c, text{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
				release := make(chan struct{})
				dying := func(context.Context, text) error {
					<-release
					return nil
				}
				conn := serve(t, b, rpc.Options{Prefetch: 50}, note.Handle(dying), told.On("demo.on_told", dying))
				must(t, send(t.Context(), conn))
				for range 25 {
					synctest.Wait()
					b.Restart()
				}
				synctest.Wait()
				parked, err := conn.Parked(t.Context(), "demo", 0)
				must(t, err)
				if len(parked) != 1 || parked[0].Reason != "delivery_limit" || string(parked[0].Kind) != name {
					t.Errorf("parked %+v", parked)
				}
				close(release)
			})
		})
	}
}

func TestLostAck_isDeliveredAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		keys := make(chan string, 10)
		conn := serve(t, b, rpc.Options{}, note.Handle(func(ctx context.Context, _ text) error {
			keys <- rpc.KeyFrom(ctx)
			return nil
		}))
		b.LoseAcks(1)
		must(t, note.Send(t.Context(), conn, text{}))
		first := <-keys
		synctest.Wait()
		b.Restart()
		if second := <-keys; first != second {
			t.Errorf("keys %q and %q", first, second)
		}
	})
}

func TestDuplicate_hasTheSameKey(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		keys := make(chan string, 10)
		conn := serve(t, b, rpc.Options{}, note.Handle(func(ctx context.Context, _ text) error {
			keys <- rpc.KeyFrom(ctx)
			return nil
		}))
		b.Duplicate(1)
		must(t, note.Send(t.Context(), conn, text{}))
		if first, second := <-keys, <-keys; first != second {
			t.Errorf("keys %q and %q", first, second)
		}
	})
}

func TestServe_boundsItsHandlers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		var running, most atomic.Int64
		conn := serve(t, b, rpc.Options{Prefetch: 3}, note.Handle(func(context.Context, text) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second) //nolint:forbidigo // virtual
			running.Add(-1)
			return nil
		}))
		for range 10 {
			must(t, note.Send(t.Context(), conn, text{}))
		}
		time.Sleep(time.Minute) //nolint:forbidigo // virtual
		if most.Load() != 3 || b.Depth("demo.work.v1") != 0 {
			t.Errorf("%d at a time, %d left", most.Load(), b.Depth("demo.work.v1"))
		}
	})
}

func TestServe_waitsForTheBroker(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		b.Disconnect()
		conn := connect(t, b, rpc.Options{Service: "demo"})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- conn.Serve(ctx, echo.Handle(echoed)) }()
		time.Sleep(time.Hour) //nolint:forbidigo // virtual
		if conn.Ready() == nil {
			t.Error("ready without a broker")
		}
		b.Reconnect()
		synctest.Wait()
		must(t, conn.Ready())
		if got, err := echo.Call(t.Context(), conn, text{"x"}); got != "x" || err != nil {
			t.Errorf("echo = %q, %v", got, err)
		}
		stop()
		must(t, <-ended)
	})
}

func TestServe_stopsBeforeItIsConnected(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		b.Disconnect()
		conn := connect(t, b, rpc.Options{Service: "demo"})
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		must(t, conn.Serve(ctx, echo.Handle(echoed)))
	})
}

func TestServe_refusesAServiceTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := rpctest.Serve(t, b, rpc.Options{Service: "demo"}, echo.Handle(echoed))
		if err := conn.Serve(t.Context(), note.Handle(func(context.Context, text) error { return nil })); err == nil {
			t.Error("served twice")
		}
	})
}

// A handler that does not even mind its cancelled context does not hold up the
// end of the program for ever.
func TestServe_leavesADeafHandlerBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := connect(t, b, rpc.Options{Service: "demo", DrainTimeout: 5 * time.Second})
		entered, release := make(chan struct{}), make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- conn.Serve(ctx, note.Handle(func(context.Context, text) error {
				close(entered)
				<-release
				return nil
			}))
		}()
		synctest.Wait()
		must(t, note.Send(t.Context(), conn, text{}))
		<-entered
		stop()
		start := time.Now()
		must(t, <-ended)
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("it took %v", took)
		}
		close(release)
	})
}

func TestClose_endsWhatWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		release := make(chan struct{})
		defer close(release)
		serve(t, b, rpc.Options{}, echo.Handle(func(context.Context, text) (string, error) {
			<-release
			return "", nil
		}))
		conn := b.Connect(rpc.Options{Service: "caller"})
		result := make(chan error, 1)
		go func() {
			_, err := echo.Call(t.Context(), conn, text{})
			result <- err
		}()
		synctest.Wait()
		start := time.Now()
		must(t, conn.Close(t.Context()))
		wantError(t, <-result, rpc.Unavailable, "connection_lost", rpc.RanMaybe)
		_, err := echo.Call(t.Context(), conn, text{})
		wantError(t, err, rpc.Unavailable, "not_connected", rpc.RanNo)
		wantError(t, note.Send(t.Context(), conn, text{}), rpc.Unavailable, "not_connected", rpc.RanNo)
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		must(t, conn.Close(t.Context()))
	})
}

// The log has the cause and the request; the caller has neither, and what the
// caller did wrong is not logged.
func TestLog(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		var log bytes.Buffer
		conn := serve(t, b, rpc.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, echo.Handle(func(_ context.Context, a text) (string, error) {
			if a.Text == "" {
				return "", rpc.Errorf(rpc.InvalidArgument, "say something")
			}
			return "", errors.New("disk is full")
		}))
		ctx := rpc.WithMeta(t.Context(), rpc.Meta{RequestID: "r42"})
		_, err := echo.Call(ctx, conn, text{})
		wantError(t, err, rpc.InvalidArgument, "", rpc.RanYes)
		synctest.Wait()
		if log.Len() > 0 {
			t.Errorf("logged %s", &log)
		}
		_, err = echo.Call(ctx, conn, text{"x"})
		wantError(t, err, rpc.Internal, "", rpc.RanYes)
		synctest.Wait()
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "disk is full") || !strings.Contains(got, "request_id=r42") {
			t.Errorf("logged %s", got)
		}
	})
}

// A program takes messages only between the call of Serve and its return.
func TestConn_Serving(t *testing.T) {
	t.Parallel()
	serving := make(chan struct{})
	conn := rpc.NewMemoryBroker().Connect(rpc.Options{Service: "desk", OnServe: func() { close(serving) }})
	defer conn.Close(t.Context())
	if err := conn.Serving(); err == nil {
		t.Error("serving before Serve")
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- conn.Serve(ctx, rpc.NewCast[rpc.Nothing]("desk.note").Handle(func(context.Context, rpc.Nothing) error { return nil }))
	}()
	<-serving
	if err := conn.Serving(); err != nil {
		t.Errorf("serving = %v while Serve runs", err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := conn.Serving(); err == nil {
		t.Error("serving after Serve")
	}
}
