// Package nameko_test proves that our services and Nameko's understand each
// other, with wire.py in Nameko's place: a program on kombu alone that does what
// Nameko 2.14 does.
package nameko_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
)

const timeout = 10 * time.Second

type addArgs struct {
	A int64 `json:"a"`
	B int64 `json:"b"`
}

type sayArgs struct {
	Text string `json:"text"`
	Loud bool   `json:"loud,omitempty"`
}

type said struct {
	Text string   `json:"text"`
	Meta rpc.Meta `json:"meta"`
}

type sold struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type limitArgs struct{}

var (
	add      = rpc.NewMethod[addArgs, int64]("demo.add", timeout)
	speak    = rpc.NewMethod[sayArgs, said]("demo.speak", timeout)
	limit    = rpc.NewMethod[limitArgs, int]("demo.limit", timeout)
	broken   = rpc.NewMethod[limitArgs, int]("demo.broken", timeout)
	note     = rpc.NewCast[sayArgs]("demo.note")
	shopSold = rpc.NewEvent[sold]("shop", "sold")
)

// demo is a service with one route of each sort. noted and events get what
// arrives.
type demo struct {
	noted  chan string
	events chan sold
}

func newDemo() *demo { return &demo{noted: make(chan string, 10), events: make(chan sold, 10)} }

func (d *demo) routes() []rpc.Route {
	return []rpc.Route{
		add.Handle(func(_ context.Context, r addArgs) (int64, error) { return r.A + r.B, nil }),
		speak.Handle(func(ctx context.Context, r sayArgs) (said, error) {
			if r.Loud {
				r.Text = strings.ToUpper(r.Text)
			}
			return said{Text: r.Text, Meta: rpc.MetaFrom(ctx)}, nil
		}),
		limit.Handle(func(context.Context, limitArgs) (int, error) {
			return 0, rpc.Errorf(rpc.ResourceExhausted, "too many").Because("source_limit").After(time.Minute)
		}),
		broken.Handle(func(context.Context, limitArgs) (int, error) {
			return 0, errors.New("a secret cause")
		}),
		note.Handle(func(_ context.Context, r sayArgs) error { d.noted <- r.Text; return nil }),
		shopSold.On("demo.on_sold", func(_ context.Context, e sold) error { d.events <- e; return nil }),
	}
}

// dial connects a Go program, which closes with the test.
func dial(t *testing.T, url, service string) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(url, rpc.Options{Service: service, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// serve serves routes until the test ends, and returns when service answers.
func serve(t *testing.T, url, service string, routes ...rpc.Route) *rpc.Conn {
	t.Helper()
	conn := dial(t, url, service)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- conn.Serve(ctx, routes...) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	until(t, service+" answers", func() bool {
		_, err := rpc.Ping(service).Call(t.Context(), conn, rpc.Nothing{})
		return err == nil
	})
	return conn
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still not: %s", what)
		}
	}
}

func arrives[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func TestNamekoClientCallsUs(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	d := newDemo()
	serve(t, url, "demo", d.routes()...)
	client := python(t, "client", url)
	for name, test := range map[string]struct {
		request map[string]any
		result  string
	}{
		"by position":       {map[string]any{"call": "demo.add", "args": []any{2, 3}}, "5"},
		"by name":           {map[string]any{"call": "demo.add", "kwargs": map[string]any{"b": 3, "a": 2}}, "5"},
		"both":              {map[string]any{"call": "demo.add", "args": []any{2}, "kwargs": map[string]any{"b": 3}}, "5"},
		"beyond 53 bits":    {map[string]any{"call": "demo.add", "args": []any{9007199254740993, 0}}, "9007199254740993"},
		"optional left out": {map[string]any{"call": "demo.speak", "args": []any{"a"}, "context": map[string]any{"language": "th", "request_id": "r1"}}, `{"text":"a","meta":{"Language":"th","RequestID":"r1","ClientIP":""}}`},
		"Thai":              {map[string]any{"call": "demo.speak", "kwargs": map[string]any{"text": "สวัสดี", "loud": true}, "context": map[string]any{"language": "th", "request_id": "r2"}}, `{"text":"สวัสดี","meta":{"Language":"th","RequestID":"r2","ClientIP":""}}`},
		"a cast gets null":  {map[string]any{"call": "demo.note", "args": []any{"noted"}}, "null"},
	} {
		got := client.ask(test.request)
		if !sameJSON(t, got.Result, test.result) || got.Raises != "" {
			t.Errorf("%s: %s, raises %q %+v, want %s", name, got.Result, got.Raises, got.Error, test.result)
		}
	}
	if text := arrives(t, "note", d.noted); text != "noted" {
		t.Errorf("noted %q", text)
	}
	if got := client.call("demo.ping"); !strings.Contains(string(got.Result), `"demo"`) {
		t.Errorf("ping = %s, raises %q", got.Result, got.Raises)
	}
}

func sameJSON(t *testing.T, got json.RawMessage, want string) bool {
	t.Helper()
	compact := func(b []byte) string {
		decoder := json.NewDecoder(strings.NewReader(string(b)))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			t.Errorf("%s is not JSON: %v", b, err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		return string(out)
	}
	return compact(got) == compact([]byte(want))
}

// A Nameko client raises for each of our failures what it would for its own
// services, and finds our code and reason beside Nameko's four fields.
func TestNamekoClientRaisesOurErrors(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	serve(t, url, "demo", newDemo().routes()...)
	client := python(t, "client", url)
	for name, test := range map[string]struct {
		request map[string]any
		raises  string
		path    string
		value   string
		code    string
		reason  string
	}{
		"method not found": {
			map[string]any{"call": "demo.nope"},
			"MethodNotFound", "nameko.exceptions.MethodNotFound", "nope", "invalid_argument", "method_not_found",
		},
		"missing argument": {
			map[string]any{"call": "demo.add", "args": []any{1}},
			"IncorrectSignature", "nameko.exceptions.IncorrectSignature", "missing a required argument: 'b'", "invalid_argument", "incorrect_signature",
		},
		"too many": {
			map[string]any{"call": "demo.add", "args": []any{1, 2, 3}},
			"IncorrectSignature", "nameko.exceptions.IncorrectSignature", "takes 2 arguments but 3 were given", "invalid_argument", "incorrect_signature",
		},
		"unexpected name": {
			map[string]any{"call": "demo.add", "args": []any{1, 2}, "kwargs": map[string]any{"z": 1}},
			"IncorrectSignature", "nameko.exceptions.IncorrectSignature", "got 1 unexpected keyword arguments", "invalid_argument", "incorrect_signature",
		},
		"no kwargs": {
			map[string]any{"raw": "demo.add", "body": `{"args":[1,2]}`},
			"MalformedRequest", "nameko.exceptions.MalformedRequest", "Message missing `args` or `kwargs`", "invalid_argument", "malformed_request",
		},
		"a list for a body": {
			map[string]any{"raw": "demo.add", "body": `[1,2]`},
			"MalformedRequest", "nameko.exceptions.MalformedRequest", "args must be a list and kwargs an object", "invalid_argument", "malformed_request",
		},
		"not JSON": {
			map[string]any{"raw": "demo.add", "body": `{`},
			"MalformedRequest", "nameko.exceptions.MalformedRequest", "the body is not JSON", "invalid_argument", "malformed_request",
		},
		"our own": {
			map[string]any{"call": "demo.limit"},
			"RemoteError", "matriq.errors.ResourceExhausted", "too many", "resource_exhausted", "source_limit",
		},
		"uncoded": {
			map[string]any{"call": "demo.broken"},
			"RemoteError", "matriq.errors.Internal", "something went wrong on our side", "internal", "",
		},
		"unknown service": {
			map[string]any{"call": "nobody.home"},
			"UnknownService", "", "", "", "",
		},
	} {
		got := client.ask(test.request)
		e := got.Error
		if got.Raises != test.raises || e.ExcPath != test.path || e.Value != test.value || e.Code != test.code || e.Reason != test.reason {
			t.Errorf("%s: raises %q %+v, want %+v", name, got.Raises, e, test)
		}
		if test.path != "" && (len(e.ExcArgs) != 1 || e.ExcArgs[0] != test.value) {
			t.Errorf("%s: exc_args %v, want the value", name, e.ExcArgs)
		}
	}
}

type echoArgs struct {
	Number int64  `json:"number"`
	Text   string `json:"text"`
}

type echoed struct {
	Args    []any          `json:"args"`
	Kwargs  map[string]any `json:"kwargs"`
	Headers map[string]any `json:"headers"`
}

type failArgs struct {
	Text string `json:"text"`
}

var (
	echo       = rpc.NewMethod[echoArgs, echoed]("pydemo.echo", timeout)
	fail       = rpc.NewMethod[failArgs, int]("pydemo.fail", timeout)
	failNobody = rpc.NewMethod[rpc.Nothing, int]("pydemo.fail", timeout)
	custom     = rpc.NewMethod[rpc.Nothing, int]("pydemo.custom", timeout)
	nowhere    = rpc.NewMethod[rpc.Nothing, int]("pydemo.nowhere", timeout)
	nobody     = rpc.NewMethod[rpc.Nothing, int]("nobody.home", timeout)
)

func TestWeCallANamekoWorker(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	python(t, "worker", url, "pydemo")
	conn := dial(t, url, "caller")
	until(t, "connected", func() bool { return conn.Ready() == nil })
	ctx := rpc.WithMeta(t.Context(), rpc.Meta{Language: "th", RequestID: "r1"})

	got, err := echo.Call(ctx, conn, echoArgs{Number: 7, Text: "ไทย"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Args) != 2 || got.Args[0] != 7.0 || got.Args[1] != "ไทย" || len(got.Kwargs) != 0 {
		t.Errorf("arguments arrived as %v %v", got.Args, got.Kwargs)
	}
	if got.Headers["nameko.language"] != "th" || got.Headers["nameko.request_id"] != "r1" {
		t.Errorf("headers %v", got.Headers)
	}
	if stack, ok := got.Headers["nameko.call_id_stack"].([]any); !ok || len(stack) != 1 || !strings.HasPrefix(asString(stack[0]), "caller.") {
		t.Errorf("call id stack %v", got.Headers["nameko.call_id_stack"])
	}
}

func asString(v any) string { s, _ := v.(string); return s }

func TestNamekoErrorsReachUs(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	python(t, "worker", url, "pydemo")
	conn := dial(t, url, "caller")
	until(t, "connected", func() bool { return conn.Ready() == nil })
	for name, test := range map[string]struct {
		call   func() error
		code   rpc.Code
		reason string
		ran    rpc.Ran
		remote bool
		text   string
	}{
		"builtin":   {func() error { _, err := fail.Call(t.Context(), conn, failArgs{"bad thing"}); return err }, rpc.Internal, "", rpc.RanYes, true, "ValueError"},
		"custom":    {func() error { _, err := custom.Call(t.Context(), conn, rpc.Nothing{}); return err }, rpc.Internal, "", rpc.RanYes, true, "Custom"},
		"method":    {func() error { _, err := nowhere.Call(t.Context(), conn, rpc.Nothing{}); return err }, rpc.InvalidArgument, "method_not_found", rpc.RanNo, true, "MethodNotFound"},
		"signature": {func() error { _, err := failNobody.Call(t.Context(), conn, rpc.Nothing{}); return err }, rpc.InvalidArgument, "incorrect_signature", rpc.RanNo, true, "IncorrectSignature"},
		"service":   {func() error { _, err := nobody.Call(t.Context(), conn, rpc.Nothing{}); return err }, rpc.Unavailable, "no_such_service", rpc.RanNo, false, ""},
	} {
		err := test.call()
		e, ok := errors.AsType[*rpc.Error](err)
		if !ok {
			t.Errorf("%s: %v is no *rpc.Error", name, err)
			continue
		}
		if e.Code != test.code || e.Reason != test.reason || e.Ran != test.ran || e.Remote != test.remote {
			t.Errorf("%s: %+v, want %+v", name, e, test)
		}
		if cause := errors.Unwrap(e); test.text != "" && (cause == nil || !strings.Contains(cause.Error(), test.text)) {
			t.Errorf("%s: cause %v, want %s in it", name, cause, test.text)
		}
	}
}

func TestEventsGoBothWays(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	d := newDemo()
	conn := serve(t, url, "demo", d.routes()...)
	worker := python(t, "worker", url, "pydemo")
	client := python(t, "client", url)

	if got := worker.ask(map[string]any{"subscribe": "shop.sold"}); got.Subscribed != "shop.sold" {
		t.Fatalf("subscribe: %+v", got)
	}
	ctx := rpc.WithMeta(t.Context(), rpc.Meta{Language: "th"})
	if err := shopSold.Emit(ctx, conn, sold{ID: 1, Name: "ours"}); err != nil {
		t.Fatal(err)
	}
	if e := arrives(t, "our event at our handler", d.events); e != (sold{1, "ours"}) {
		t.Errorf("our event arrived as %+v", e)
	}
	if got := worker.next(); got.Event != "shop.sold" || !sameJSON(t, got.Payload, `{"id":1,"name":"ours"}`) || got.Headers["nameko.language"] != "th" {
		t.Errorf("our event arrived at Nameko's handler as %+v", got)
	}

	if got := client.ask(map[string]any{"dispatch": "shop.sold", "payload": map[string]any{"id": 2, "name": "theirs"}}); !got.Dispatched {
		t.Fatalf("dispatch: %+v", got)
	}
	if e := arrives(t, "Nameko's event at our handler", d.events); e != (sold{2, "theirs"}) {
		t.Errorf("Nameko's event arrived as %+v", e)
	}
}

// A worker's dispatch, unlike the standalone one, carries headers.
func TestNamekoWorkerDispatches(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	events := make(chan rpc.Meta, 1)
	emitted := rpc.NewEvent[sold]("pydemo", "happened")
	serve(t, url, "demo", emitted.On("demo.on_happened", func(ctx context.Context, e sold) error {
		if e == (sold{3, "x"}) {
			events <- rpc.MetaFrom(ctx)
		}
		return nil
	}))
	python(t, "worker", url, "pydemo")
	client := python(t, "client", url)
	got := client.ask(map[string]any{
		"call": "pydemo.emit", "args": []any{"happened", map[string]any{"id": 3, "name": "x"}},
		"context": map[string]any{"language": "th", "request_id": "r9"},
	})
	if string(got.Result) != "null" {
		t.Fatalf("emit = %s, raises %q %+v", got.Result, got.Raises, got.Error)
	}
	if meta := arrives(t, "event", events); meta.Language != "th" || meta.RequestID != "r9" {
		t.Errorf("meta %+v", meta)
	}
}

// Instances in Go and in Python share one service's queue: a caller of Nameko's is
// answered by both. A caller of ours is answered by Nameko's while nobody else is
// there, and by ours alone soon after.
func TestBothServeOneService(t *testing.T) {
	t.Parallel()
	url := testenv.AMQP(t)
	type by struct {
		By string `json:"by"` // empty: Nameko's
	}
	echo := rpc.NewMethod[sayArgs, by]("shared.echo", timeout)
	caller := dial(t, url, "caller")
	until(t, "connected", func() bool { return caller.Ready() == nil })
	ours := func() string {
		t.Helper()
		got, err := echo.Call(t.Context(), caller, sayArgs{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return got.By
	}
	client := python(t, "client", url)
	theirs := func() string {
		t.Helper()
		got := client.call("shared.echo", "x")
		var result by
		if err := json.Unmarshal(got.Result, &result); err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		return result.By
	}

	python(t, "worker", url, "shared")
	if got := ours(); got != "" {
		t.Fatalf("our call is answered by %q before ours serve", got)
	}
	var served atomic.Int64
	serve(t, url, "shared", echo.Handle(func(context.Context, sayArgs) (by, error) {
		served.Add(1)
		return by{"go"}, nil
	}))
	until(t, "our call is answered by ours", func() bool { return ours() == "go" })
	answers, byGo := map[string]int{}, int64(1)
	until(t, "both have answered Nameko's caller", func() bool {
		answers[theirs()]++
		byGo++ // the call of ours below
		if got := ours(); got != "go" {
			t.Fatalf("our call is answered by %q once ours serve", got)
		}
		return answers["go"] > 0 && answers[""] > 0
	})
	if byGo += int64(answers["go"]); served.Load() != byGo {
		t.Errorf("Go served %d calls and answered %d", served.Load(), byGo)
	}
}
