package rpctest

import (
	"context"
	"encoding/json"
	"testing"

	"matriq/pkg/rpc"
)

// replyBody is what Nameko's clients read.
type replyBody struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		ExcType string   `json:"exc_type"`
		ExcPath string   `json:"exc_path"`
		ExcArgs []string `json:"exc_args"`
		Value   string   `json:"value"`
	} `json:"error"`
}

func namekoTests(t *testing.T, b *bench) {
	cases := map[string]func(*testing.T, *world){
		"a worker that fails":         foreignWorker(`{"result": null, "error": {"exc_type": "ValueError", "exc_path": "builtins.ValueError", "exc_args": ["x", "7"], "value": "('x', 7)"}}`, rpc.Internal, "", rpc.RanYes),
		"a worker without the method": foreignWorker(`{"result": null, "error": {"exc_type": "MethodNotFound", "exc_path": "nameko.exceptions.MethodNotFound", "exc_args": ["nope"], "value": "nope"}}`, rpc.InvalidArgument, "method_not_found", rpc.RanNo),
		"a worker that talks rubbish": foreignWorker(`NaN`, rpc.Internal, "", rpc.RanYes),
		"a worker that answers": func(t *testing.T, w *world) {
			foreign(t, w, `{"result": "\u0e44\u0e17\u0e22", "error": null}`)
			got, err := rpc.NewMethod[text, string]("legacy.greet", soon).Call(t.Context(), w.conn, text{})
			if got != "ไทย" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		},
		"an event": func(t *testing.T, w *world) {
			handler := newCounted(0, nil)
			w.serve(t, rpc.Options{}, told.On("demo.on_told", handler.handle))
			must(t, w.Publish(rpc.Wire{Exchange: "demo.events", Key: "told", ContentType: "application/json", Body: []byte(`{"text":"x"}`)}))
			if got := receive(t, handler.done); got != "x" {
				t.Errorf("got %q", got)
			}
		},
	}
	for name, c := range clientCases {
		cases["a client: "+name] = c.run
	}
	b.cases(t, cases)
}

// clientCase is a request as a foreign client may send it, and what it gets.
type clientCase struct {
	wire    rpc.Wire
	result  string
	excPath string
	excArg  string
}

var clientCases = map[string]clientCase{
	"bare": {
		wire:   rpc.Wire{Key: "demo.echo", Body: []byte(`{"args": ["hi"], "kwargs": {}}`)},
		result: `"hi"`,
	},
	"by name": {
		wire:   rpc.Wire{Key: "demo.echo", ContentType: "application/json", CorrelationID: "c1", Body: []byte(`{"args": [], "kwargs": {"text": "hi"}, "more": 1}`)},
		result: `"hi"`,
	},
	"with context": {
		wire: rpc.Wire{
			Key: "demo.echo", ContentType: "application/json", ContentEncoding: "utf-8", CorrelationID: "c2",
			Headers: map[string]any{"nameko.language": "th", "nameko.user_id": int32(7), "nameko.call_id_stack": []any{"standalone_rpc_proxy.call.1"}},
			Body:    []byte(`{"args": ["hi"], "kwargs": {}}`),
		},
		result: `"hi"`,
	},
	"unknown method": {
		wire:    rpc.Wire{Key: "demo.nope", ContentType: "application/json", Body: []byte(`{"args": [], "kwargs": {}}`)},
		excPath: "nameko.exceptions.MethodNotFound", excArg: "nope",
	},
	"wrong arguments": {
		wire:    rpc.Wire{Key: "demo.echo", ContentType: "application/json", Body: []byte(`{"args": [1, 2], "kwargs": {}}`)},
		excPath: "nameko.exceptions.IncorrectSignature", excArg: "takes 1 arguments but 2 were given",
	},
	"kwargs missing": {
		wire:    rpc.Wire{Key: "demo.echo", ContentType: "application/json", Body: []byte(`{"args": []}`)},
		excPath: "nameko.exceptions.MalformedRequest", excArg: "Message missing `args` or `kwargs`",
	},
	"not JSON": {
		wire:    rpc.Wire{Key: "demo.echo", ContentType: "application/json", Body: []byte(`hello`)},
		excPath: "nameko.exceptions.MalformedRequest", excArg: "the body is not JSON",
	},
	"another content type": {
		wire:    rpc.Wire{Key: "demo.echo", ContentType: "application/x-python-serialize", Body: []byte(`{"args": [], "kwargs": {}}`)},
		excPath: "nameko.exceptions.MalformedRequest", excArg: "the body is not JSON",
	},
	"an error of ours": {
		wire:    rpc.Wire{Key: "demo.echo", ContentType: "application/json", Body: []byte(`{"args": [""], "kwargs": {}}`)},
		excPath: "matriq.errors.FailedPrecondition", excArg: "say something",
	},
}

func (c clientCase) run(t *testing.T, w *world) {
	t.Helper()
	w.serve(t, rpc.Options{}, echo.Handle(func(_ context.Context, a text) (string, error) {
		if a.Text == "" {
			return "", rpc.Errorf(rpc.FailedPrecondition, "say something")
		}
		return a.Text, nil
	}))
	replies := make(chan rpc.Wire, 1)
	must(t, w.Tap("nameko-rpc", "my-reply-key", func(r rpc.Wire) { replies <- r }))
	c.wire.Exchange, c.wire.ReplyTo = "nameko-rpc", "my-reply-key"
	must(t, w.Publish(c.wire))
	r := receive(t, replies)
	if r.CorrelationID != c.wire.CorrelationID || r.ContentType != "application/json" {
		t.Errorf("reply %+v", r)
	}
	var body replyBody
	must(t, json.Unmarshal(r.Body, &body))
	if c.excPath == "" {
		if body.Error != nil || string(body.Result) != c.result {
			t.Errorf("reply %s, want %s", r.Body, c.result)
		}
		return
	}
	if body.Error == nil || body.Error.ExcPath != c.excPath || len(body.Error.ExcArgs) != 1 || body.Error.ExcArgs[0] != c.excArg || body.Error.Value != c.excArg {
		t.Errorf("reply %s, want %s %q", r.Body, c.excPath, c.excArg)
	}
}

// foreign answers every call of legacy with body, and checks the request.
func foreign(t *testing.T, w *world, body string) {
	t.Helper()
	must(t, w.Tap("nameko-rpc", "legacy.*", func(r rpc.Wire) {
		if r.ReplyTo == "" || r.CorrelationID == "" || r.ContentType != "application/json" || r.ContentEncoding != "utf-8" {
			t.Errorf("request %+v", r)
		}
		if _, ok := r.Headers["nameko.call_id_stack"].([]any); !ok {
			t.Errorf("call_id_stack is a %T", r.Headers["nameko.call_id_stack"])
		}
		if err := w.Publish(rpc.Wire{Exchange: "nameko-rpc", Key: r.ReplyTo, CorrelationID: r.CorrelationID, ContentType: "application/json", ContentEncoding: "utf-8", Body: []byte(body)}); err != nil {
			t.Errorf("reply: %v", err)
		}
	}))
}

func foreignWorker(body string, code rpc.Code, reason string, ran rpc.Ran) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		foreign(t, w, body)
		_, err := rpc.NewMethod[text, string]("legacy.greet", soon).Call(t.Context(), w.conn, text{})
		wantError(t, err, code, reason, ran)
	}
}
