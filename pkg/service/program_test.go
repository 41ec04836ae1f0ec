package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel"

	"matriq/pkg/rpc"
	"matriq/pkg/service"
)

// executed is what a program left behind.
type executed struct {
	code           int
	stdout, stderr string
}

func execute(t *testing.T, p service.Program, environ []string, args ...string) executed {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := p.Execute(t.Context(), args, environ, &stdout, &stderr)
	return executed{code, stdout.String(), stderr.String()}
}

func program(run func(context.Context, service.Env) error) service.Program {
	return service.Program{Name: "otp", About: "issues one-time passwords.", Config: config{}, Run: run}
}

func TestProgram_Help(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"help", "--help", "-h"} {
		got := execute(t, program(nil), nil, arg)
		for _, want := range []string{
			"otp: issues one-time passwords.",
			"otp healthcheck",
			"AMQP_URL (required, secret)\n      the broker",
			"OTP_TTL (default 10m)\n      life of a code",
			"ADMIN_ADDR (default :9090)",
			"NAME_FILE",
		} {
			if got.code != 0 || !strings.Contains(got.stdout, want) {
				t.Errorf("%s: code %d, want 0 and %q in\n%s", arg, got.code, want, got.stdout)
			}
		}
	}
}

func TestProgram_Version(t *testing.T) {
	t.Parallel()
	if got := execute(t, program(nil), nil, "version"); got.code != 0 || !strings.HasPrefix(got.stdout, "otp ") {
		t.Errorf("version = %+v", got)
	}
}

func TestProgram_Misused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"serve"}, {"run", "now"}} {
		if got := execute(t, program(nil), nil, args...); got.code != 2 || !strings.Contains(got.stderr, "otp help") {
			t.Errorf("%v = %+v, want code 2 and where to learn more", args, got)
		}
	}
}

// Every fault is a line of its own, which names the setting and the cure.
func TestProgram_BadSettings(t *testing.T) {
	t.Parallel()
	got := execute(t, program(func(_ context.Context, env service.Env) error {
		var c config
		return env.Decode(&c)
	}), []string{"OTP_TTL=soon", "LOG_FORMAT=json"})
	settings := map[string]bool{}
	for line := range strings.Lines(got.stderr) {
		var record struct{ Msg, Setting, Cure string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if record.Msg == "bad setting" && record.Cure != "" {
			settings[record.Setting] = true
		}
	}
	if got.code != 2 || !settings["OTP_TTL"] || !settings["AMQP_URL"] {
		t.Errorf("code %d, settings %v; want 2, OTP_TTL and AMQP_URL", got.code, settings)
	}
}

func TestProgram_FailureIsLoggedOnce(t *testing.T) {
	t.Parallel()
	got := execute(t, program(func(context.Context, service.Env) error { return errors.New("disk on fire") }), nil)
	if got.code != 1 || strings.Count(got.stderr, "disk on fire") != 1 {
		t.Errorf("%+v, want code 1 and the failure once", got)
	}
}

// A part that says only that it was asked to stop does not make the stop a
// failure.
func TestProgram_StopsCleanly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	code := program(func(ctx context.Context, env service.Env) error {
		cancel()
		return env.Serve(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
	}).Execute(ctx, nil, []string{"LOG_FORMAT=text"}, &stdout, &stderr)
	if code != 0 || !strings.Contains(stderr.String(), "msg=stopped") {
		t.Errorf("code %d, log %s", code, stderr.String())
	}
}

// The lines of a request carry its ID.
func TestProgram_LogHasTheRequestID(t *testing.T) {
	t.Parallel()
	got := execute(t, program(func(ctx context.Context, env service.Env) error {
		env.Log.With("a", 1).InfoContext(rpc.WithMeta(ctx, rpc.Meta{RequestID: "r-1"}), "within")
		return nil
	}), nil)
	if !strings.Contains(got.stderr, `"msg":"within"`) || !strings.Contains(got.stderr, `"request_id":"r-1"`) {
		t.Errorf("log = %s", got.stderr)
	}
}

func TestProgram_LogLevel(t *testing.T) {
	t.Parallel()
	got := execute(t, program(func(_ context.Context, env service.Env) error {
		env.Log.Info("quiet")
		return nil
	}), []string{"LOG_LEVEL=warn"})
	if got.stderr != "" {
		t.Errorf("log = %s, want nothing below warn", got.stderr)
	}
}

// Who was ready once is healthy, whatever it waits for later; who never was is
// not.
func TestProgram_Healthcheck(t *testing.T) {
	t.Parallel()
	var failure atomic.Pointer[error]
	server := httptest.NewServer(service.AdminHandler(nil,
		service.Check{Name: "amqp", Ready: func(context.Context) error {
			if err := failure.Load(); err != nil {
				return *err
			}
			return nil
		}},
		service.Check{Name: "smtp", Foreign: true, Ready: func(context.Context) error { return errors.New("no relay") }},
	))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	noBroker := errors.New("no broker")
	for _, step := range []struct {
		name    string
		failure *error
		code    int
	}{{"not ready yet", &noBroker, 1}, {"ready", nil, 0}, {"broker lost", &noBroker, 0}} {
		failure.Store(step.failure)
		got := execute(t, program(nil), []string{"ADMIN_ADDR=:" + port}, "healthcheck")
		if got.code != step.code || (got.code == 1) != strings.Contains(got.stderr, "no broker") {
			t.Errorf("%s: %+v, want code %d and the reason", step.name, got, step.code)
		}
	}
	if got := execute(t, program(nil), []string{"ADMIN_ADDR=127.0.0.1:1"}, "healthcheck"); got.code != 1 {
		t.Errorf("nobody there: %+v, want code 1", got)
	}
}

// The spans of a run are with the collector when it ends.
func TestProgram_SendsTraces(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer collector.Close()
	got := execute(t, program(func(ctx context.Context, _ service.Env) error {
		_, span := otel.Tracer("test").Start(ctx, "work")
		span.End()
		return nil
	}), []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL + "/base/"})
	if got.code != 0 || len(paths) != 1 || <-paths != "/base/v1/traces" {
		t.Errorf("%+v, want one request to /base/v1/traces", got)
	}
}

func TestProgram_BadCollector(t *testing.T) {
	t.Parallel()
	got := execute(t, program(func(ctx context.Context, env service.Env) error { return env.Serve(ctx) }),
		[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector"})
	if got.code != 2 || !strings.Contains(got.stderr, "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("%+v, want code 2 and the setting", got)
	}
}
