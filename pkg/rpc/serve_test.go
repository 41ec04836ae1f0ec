package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
)

// A request whose deadline passed on the way is settled unread, whether or not
// the broker noticed.
func TestRequest_expired(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		reg := prometheus.NewRegistry()
		serve(t, b, rpc.Options{Metrics: reg}, echo.Handle(func(context.Context, text) (string, error) {
			t.Error("the handler ran")
			return "", nil
		}))
		must(t, b.Publish(rpc.Wire{
			Exchange: "nameko-rpc", Key: "demo.echo", ReplyTo: "somebody",
			Headers: map[string]any{"matriq.deadline": time.Now().Add(-time.Second).UnixMilli()},
			Body:    []byte(`{"args":["x"],"kwargs":{}}`),
		}))
		synctest.Wait()
		if b.Depth("rpc-demo")+b.Unsettled("rpc-demo") != 0 {
			t.Error("the request is still there")
		}
		if got := sample(t, reg, "matriq_rpc_expired_total", map[string]string{"method": "demo.echo", "kind": "call"}); got != 1 {
			t.Errorf("expired = %v", got)
		}
	})
}

// Without a reply_to there is nobody to answer, and the method is done.
func TestRequest_withoutReplyTo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		done := make(chan string, 1)
		serve(t, b, rpc.Options{}, echo.Handle(func(ctx context.Context, a text) (string, error) {
			if rpc.MetaFrom(ctx).RequestID == "" {
				t.Error("no request id for the log")
			}
			done <- a.Text
			return "", nil
		}))
		must(t, b.Publish(rpc.Wire{Exchange: "nameko-rpc", Key: "demo.echo", Body: []byte(`{"args":["x"],"kwargs":{}}`)}))
		if got := <-done; got != "x" {
			t.Errorf("got %q", got)
		}
		synctest.Wait()
		if n := b.Unsettled("rpc-demo"); n != 0 {
			t.Errorf("%d unsettled", n)
		}
	})
}

func TestReply_unexpectedIsDropped(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		reg := prometheus.NewRegistry()
		must(t, b.Tap("nameko-rpc", "demo.echo", func(w rpc.Wire) {
			for _, id := range []string{"unknown", w.CorrelationID, w.CorrelationID} {
				if err := b.Publish(rpc.Wire{Exchange: "nameko-rpc", Key: w.ReplyTo, CorrelationID: id, Body: []byte(`{"result":"x","error":null}`)}); err != nil {
					t.Error(err)
				}
			}
		}))
		conn := connect(t, b, rpc.Options{Service: "caller", Metrics: reg})
		if got, err := echo.Call(t.Context(), conn, text{}); got != "x" || err != nil {
			t.Errorf("echo = %q, %v", got, err)
		}
		synctest.Wait()
		if got := sample(t, reg, "matriq_rpc_replies_dropped_total", nil); got != 2 {
			t.Errorf("dropped = %v, want the unknown one and the second one", got)
		}
	})
}

func TestReply_ofAnotherType(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, echo.Handle(echoed))
		_, err := rpc.NewMethod[text, int]("demo.echo", time.Second).Call(t.Context(), conn, text{"no number"})
		wantError(t, err, rpc.Internal, "", rpc.RanYes)
	})
}

// A call that the shutdown cuts short is unavailable; another replica may serve
// the next.
func TestServe_stopping(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := connect(t, b, rpc.Options{Service: "demo", DrainTimeout: time.Second})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- conn.Serve(ctx, echo.Handle(func(ctx context.Context, _ text) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			}))
		}()
		synctest.Wait()
		result := make(chan error, 1)
		go func() {
			_, err := rpc.NewMethod[text, string]("demo.echo", time.Minute).Call(t.Context(), connect(t, b, rpc.Options{Service: "caller"}), text{})
			result <- err
		}()
		synctest.Wait()
		stop()
		wantError(t, <-result, rpc.Unavailable, "stopping", rpc.RanYes)
		must(t, <-ended)
	})
}

// While the broker takes nothing for long, a failed cast goes back to its queue
// and is not lost.
func TestWork_cannotBeMoved(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, note.Handle(func(context.Context, text) error { return rpc.ErrPermanent }))
		b.Block(true)
		m, err := note.Message(t.Context(), text{"x"})
		must(t, err)
		must(t, b.Publish(rpc.Wire{Exchange: "matriq-cast", Key: "demo.note", ContentType: "application/json", Headers: map[string]any{"matriq.method": "demo.note"}, Body: m.Body}))
		time.Sleep(150 * time.Second) //nolint:forbidigo // virtual
		if n := b.Unsettled("demo.work.v1"); n != 1 {
			t.Errorf("%d under way, want one", n)
		}
		b.Block(false)
		synctest.Wait()
		if n, err := conn.CountParked(t.Context(), "demo"); n != 1 || err != nil {
			t.Errorf("%d parked, %v", n, err)
		}
	})
}

func TestWork_notJSON(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{}, told.On("demo.on_told", func(context.Context, text) error {
			t.Error("the handler ran")
			return nil
		}))
		for contentType, body := range map[string]string{"application/json": `{`, "text/plain": `{}`, "": `{"text": 7}`} {
			must(t, b.Publish(rpc.Wire{Exchange: "demo.events", Key: "told", ContentType: contentType, Body: []byte(body)}))
		}
		synctest.Wait()
		parked, err := conn.Parked(t.Context(), "demo", 0)
		must(t, err)
		if len(parked) != 3 || parked[0].Reason != "invalid" {
			t.Errorf("parked %+v", parked)
		}
	})
}

// What was handed out twice without being settled is handled one at a time, so
// that what kills its workers does not take the others along.
func TestWork_suspectsAreHandledOneAtATime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		const messages = 10
		var runs, atWork, most, done atomic.Int32
		conn := serve(t, b, rpc.Options{Prefetch: 3 * messages}, note.Handle(func(ctx context.Context, _ text) error {
			if runs.Add(1) <= 2*messages {
				<-ctx.Done() // it never comes to an end by itself
				return ctx.Err()
			}
			most.Store(max(most.Load(), atWork.Add(1)))
			time.Sleep(time.Second) //nolint:forbidigo // virtual
			atWork.Add(-1)
			done.Add(1)
			return nil
		}))
		for range messages {
			must(t, note.Send(t.Context(), conn, text{}))
		}
		synctest.Wait()
		b.Restart()
		synctest.Wait()
		b.Restart()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual
		if done.Load() != messages || most.Load() != 1 {
			t.Errorf("%d of %d done, %d at a time; want all, one at a time", done.Load(), messages, most.Load())
		}
	})
}

// An event of Nameko has no key; it gets one that lasts over its attempts.
func TestEvent_ofNamekoGetsAKey(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		keys := make(chan string, 10)
		serve(t, b, rpc.Options{RetryDelays: []time.Duration{time.Second, time.Second}}, told.On("demo.on_told", func(ctx context.Context, _ text) error {
			keys <- rpc.KeyFrom(ctx)
			return errors.New("not yet")
		}))
		must(t, b.Publish(rpc.Wire{Exchange: "demo.events", Key: "told", Body: []byte(`{"text":"x"}`)}))
		first, second, third := <-keys, <-keys, <-keys
		if first == "" || first != second || second != third {
			t.Errorf("keys %q, %q, %q", first, second, third)
		}
	})
}

func TestTrace_travels(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		seen := make(chan trace.TraceID, 10)
		note1 := func(ctx context.Context) { seen <- trace.SpanContextFromContext(ctx).TraceID() }
		conn := serve(t, b, rpc.Options{},
			echo.Handle(func(ctx context.Context, _ text) (string, error) {
				note1(ctx)
				return "", nil
			}),
			note.Handle(func(ctx context.Context, _ text) error {
				note1(ctx)
				return nil
			}))
		id := trace.TraceID{1, 2, 3}
		ctx := trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled}))
		_, err := echo.Call(ctx, conn, text{})
		must(t, err)
		stored, err := note.Message(ctx, text{})
		must(t, err)
		must(t, conn.Cast(t.Context(), stored)) // as an outbox does, later
		if call, cast := <-seen, <-seen; call != id || cast != id {
			t.Errorf("the call had %s, the cast %s, want %s", call, cast, id)
		}
	})
}

// A stored message survives its way through an outbox, which keeps it as JSON.
func TestMessage_canBeStored(t *testing.T) {
	t.Parallel()
	ctx := rpc.WithMeta(rpc.WithKey(t.Context(), "k1"), rpc.Meta{Language: "th", RequestID: "r1"})
	m, err := note.Message(ctx, text{"x"})
	must(t, err)
	stored, err := json.Marshal(m)
	must(t, err)
	var again rpc.Message
	must(t, json.Unmarshal(stored, &again))
	if again.Key != "k1" || again.Meta != m.Meta || string(again.Body) != string(m.Body) || again.Target != "demo.note" {
		t.Errorf("%+v became %+v", m, again)
	}
}

func TestKey_isNotInherited(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		keys := make(chan string, 10)
		out := connect(t, b, rpc.Options{Service: "demo"})
		first := rpc.NewCast[text]("demo.first")
		conn := serve(t, b, rpc.Options{},
			first.Handle(func(ctx context.Context, a text) error {
				keys <- rpc.KeyFrom(ctx)
				return note.Send(ctx, out, a)
			}),
			note.Handle(func(ctx context.Context, _ text) error {
				keys <- rpc.KeyFrom(ctx)
				return nil
			}))
		must(t, first.Send(rpc.WithKey(t.Context(), "k1"), conn, text{}))
		if own, next := <-keys, <-keys; own != "k1" || next == "" || next == "k1" {
			t.Errorf("keys %q and %q", own, next)
		}
	})
}

func TestNames_areChecked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "demo", "demo.", ".echo", "Demo.echo", "demo.echo.more", "demo.*", "de mo.echo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			rpc.NewCast[text](name)
		})
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		conn := serve(t, b, rpc.Options{RetryDelays: []time.Duration{time.Minute}}, note.Handle(func(context.Context, text) error { return errors.New("no") }))
		must(t, note.Send(t.Context(), conn, text{}))
		synctest.Wait()
		b.Wipe()
		time.Sleep(time.Hour) //nolint:forbidigo // virtual
		if n, err := conn.CountParked(t.Context(), "demo"); n != 0 || err != nil {
			t.Errorf("%d parked, %v", n, err)
		}
	})
}

// Every service name of a program has its own built-in methods.
func TestDescribe_perService(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		noop := func(context.Context, text) error { return nil }
		conn := rpctest.Serve(t, b, rpc.Options{Service: "mail", Version: "v1"},
			rpc.NewCast[text]("lane_one.send").Handle(noop), rpc.NewCast[text]("lane_two.send").Handle(noop))
		for _, service := range []string{"lane_one", "lane_two"} {
			d, err := rpc.Describe(service).Call(t.Context(), conn, rpc.Nothing{})
			must(t, err)
			if d.Service != service || d.Version != "v1" || len(d.Methods) != 3 || d.Methods[2].Name != service+".send" {
				t.Errorf("%s: %+v", service, d)
			}
		}
	})
}
