package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/bench/child"
	"matriq/bench/measure"
	"matriq/bench/rival"
	"matriq/pkg/rpc"
)

// echo is the method that is measured.
type echoRequest struct {
	Text string `json:"text"`
}

const callTimeout = 5 * time.Second

// Methods of the rivals.
const (
	rawMethod      = "rival.echo"
	jsonMethod     = "rival.echo_json"
	envelopeMethod = "rival.echo_envelope"
)

func echo() rpc.Method[echoRequest, string] {
	return rpc.NewMethod[echoRequest, string]("bench.echo", callTimeout)
}

// dial connects as a service does, with its metrics.
func dial(ctx context.Context, url, name string) (*rpc.Conn, error) {
	conn, err := rpc.Dial(url, rpc.Options{
		Service: name, Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	return conn, poll(ctx, conn.Ready)
}

// poll asks until there is no error.
func poll(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return err
		}
	}
}

func matriqWorker(process context.Context) map[string]child.Handler {
	return map[string]child.Handler{AskOpen: child.Answers(func(ctx context.Context, url string) (done, error) {
		conn, err := dial(ctx, url, "bench")
		if err != nil {
			return done{}, err
		}
		failed := make(chan error, 1)
		go func() {
			failed <- conn.Serve(process, echo().Handle(func(_ context.Context, r echoRequest) (string, error) { return r.Text, nil }))
		}()
		return done{}, poll(ctx, func() error {
			select {
			case err := <-failed:
				return err
			default:
				return conn.Serving()
			}
		})
	})}
}

// matriqCaller calls as a gateway does, with what travels along.
func matriqCaller(context.Context) map[string]child.Handler {
	var conn *rpc.Conn
	return map[string]child.Handler{
		AskOpen: child.Answers(func(ctx context.Context, url string) (done, error) {
			var err error
			conn, err = dial(ctx, url, "bench_caller")
			return done{}, err
		}),
		AskRun: child.Answers(func(ctx context.Context, r Run) (measure.Sample, error) {
			ctx = rpc.WithMeta(ctx, rpc.Meta{Language: "th", RequestID: "d41d8cd98f00b204", ClientIP: "192.0.2.17"})
			text, method := textOf(r.Bytes), echo()
			return checked(loop(ctx, r.Users, r.Length, func(ctx context.Context, _ int) error {
				answer, err := method.Call(ctx, conn, echoRequest{Text: text})
				return same(answer, text, err)
			}))
		}),
	}
}

func rawWorker(context.Context) map[string]child.Handler {
	return rivalWorker(rawMethod, rival.Bytes)
}

func jsonWorker(context.Context) map[string]child.Handler {
	return rivalWorker(jsonMethod, rival.JSON)
}

func envelopeWorker(context.Context) map[string]child.Handler {
	return rivalWorker(envelopeMethod, rival.JSON)
}

func rivalWorker(method string, handle func([]byte) ([]byte, error)) map[string]child.Handler {
	return map[string]child.Handler{AskOpen: child.Answers(func(_ context.Context, url string) (done, error) {
		_, err := rival.NewWorker(url, method, handle)
		return done{}, err
	})}
}

func rawCaller(context.Context) map[string]child.Handler {
	return rivalCaller(rival.NewCaller, rawMethod, func(r Run, caller *rival.Caller) func(context.Context, int) error {
		body := bodyOf(textOf(r.Bytes))
		return func(ctx context.Context, _ int) error {
			reply, err := caller.Call(ctx, body)
			if err == nil && !bytes.Equal(reply, body) {
				return errOther
			}
			return err
		}
	})
}

func jsonCaller(context.Context) map[string]child.Handler {
	return rivalCaller(rival.NewCaller, jsonMethod, callJSON)
}

func envelopeCaller(context.Context) map[string]child.Handler {
	return rivalCaller(rival.NewEnvelopeCaller, envelopeMethod, callJSON)
}

func callJSON(r Run, caller *rival.Caller) func(context.Context, int) error {
	text := textOf(r.Bytes)
	return func(ctx context.Context, _ int) error {
		answer, err := caller.CallJSON(ctx, text)
		return same(answer, text, err)
	}
}

func rivalCaller(open func(url, method string) (*rival.Caller, error), method string, call func(Run, *rival.Caller) func(context.Context, int) error) map[string]child.Handler {
	var caller *rival.Caller
	return map[string]child.Handler{
		AskOpen: child.Answers(func(_ context.Context, url string) (done, error) {
			var err error
			caller, err = open(url, method)
			return done{}, err
		}),
		AskRun: child.Answers(func(ctx context.Context, r Run) (measure.Sample, error) {
			return checked(loop(ctx, r.Users, r.Length, call(r, caller)))
		}),
	}
}

var errOther = errors.New("the answer is not what was sent")

// same fails for an answer that is not the text that was sent.
func same(answer, text string, err error) error {
	if err == nil && answer != text {
		return errOther
	}
	return err
}

// checked refuses a sample with failures: nothing here may fail.
func checked(s measure.Sample) (measure.Sample, error) {
	if s.Errors > 0 {
		return s, fmt.Errorf("%d of %d operations failed", s.Errors, s.Errors+s.Count)
	}
	return s, nil
}

// bodyOf is a request with one argument, as it is sent.
func bodyOf(text string) []byte { return []byte(`{"args":["` + text + `"],"kwargs":{}}`) }

// textOf is the argument of a request whose body has so many bytes.
func textOf(bytes int) string { return strings.Repeat("x", max(1, bytes-len(bodyOf("")))) }
