package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/service"
)

func newEnv(vars map[string]string) service.Env {
	return service.NewEnv("otp", vars, slog.New(slog.DiscardHandler))
}

func TestEnv_Serve_OneFailureStopsTheOthers(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	stopped := false
	err := newEnv(nil).Serve(t.Context(),
		func(context.Context) error { return broken },
		func(ctx context.Context) error {
			<-ctx.Done()
			stopped = true
			return ctx.Err()
		},
		func(context.Context) error { return nil },
	)
	if !errors.Is(err, broken) || !stopped {
		t.Errorf("Serve = %v, stopped %v; want the failure, and the other stopped", err, stopped)
	}
}

func TestEnv_Serve_RefusesBadSettings(t *testing.T) {
	t.Parallel()
	err := newEnv(map[string]string{"PPROF": "perhaps"}).Serve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "PPROF") {
		t.Errorf("Serve = %v, want the fault", err)
	}
}

func TestEnv_HTTP_BusyPort(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	addr := taken.Addr().String()
	err := newEnv(nil).Serve(t.Context(), newEnv(nil).HTTP(addr, http.NotFoundHandler(), service.HTTPOptions{}))
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), addr) {
		t.Errorf("Serve = %v, want EADDRINUSE and the address", err)
	}
}

// site is a server under test, with the hands to stop it.
type site struct {
	url  string
	stop context.CancelFunc
	done chan error
}

func serve(t *testing.T, env service.Env, h http.Handler, o service.HTTPOptions) site {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	o.Listener = listen(t)
	s := site{url: "http://" + o.Listener.Addr().String(), stop: stop, done: make(chan error, 1)}
	go func() { s.done <- env.Serve(ctx, env.HTTP("", h, o)) }()
	t.Cleanup(stop)
	return s
}

// A request that is under way when the stop begins is answered in full, and its
// context does not end.
func TestEnv_HTTP_FinishesRequests(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	s := serve(t, newEnv(nil), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request's context: %v", err)
		}
		_, _ = io.WriteString(w, "done")
	}), service.HTTPOptions{DrainDelay: -1})
	answer := make(chan string, 1)
	go func() { answer <- get(t, s.url) }()
	<-begun
	s.stop()
	close(finish)
	if got := <-answer; got != "200 done" {
		t.Errorf("answer = %s, want 200 done", got)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// After the stop began new requests are served for the drain delay, on
// connections that are then closed.
func TestEnv_HTTP_ServesWhileTheEdgeLearns(t *testing.T) {
	t.Parallel()
	s := serve(t, newEnv(map[string]string{"DRAIN_DELAY": "2s"}), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "here")
	}), service.HTTPOptions{})
	if got := get(t, s.url); got != "200 here" {
		t.Fatalf("answer = %s", got)
	}
	begun := time.Now()
	s.stop()
	for closing := false; !closing; {
		closing = closes(t, s.url)
	}
	if err := <-s.done; err != nil || time.Since(begun) < 2*time.Second {
		t.Errorf("Serve = %v after %v, want 2s of drain", err, time.Since(begun))
	}
}

// A request that was on its way on an idle connection when the stop began is
// answered.
func TestEnv_HTTP_KeepsIdleConnectionsWhileDraining(t *testing.T) {
	t.Parallel()
	s := serve(t, newEnv(map[string]string{"DRAIN_DELAY": "2s"}), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), service.HTTPOptions{})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	closed := func() bool {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: ui\r\nContent-Length: 0\r\n\r\n") // the answer tells
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("no answer on the connection: %v", err)
		}
		_ = answer.Body.Close()
		return answer.Close
	}
	if closed() {
		t.Fatal("the connection is to be closed before the stop")
	}
	s.stop()
	for closing := false; !closing; {
		closing = closes(t, s.url)
	}
	if !closed() {
		t.Error("the connection is to stay open while the server leaves")
	}
}

// closes tells whether the server asks for the connection to be closed.
func closes(t *testing.T, url string) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("not served while draining: %v", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.Close
}

func TestEnv_HTTP_LimitsHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, newEnv(nil), http.NotFoundHandler(), service.HTTPOptions{DrainDelay: -1})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("a", 32<<10))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status = %d, want 431", response.StatusCode)
	}
}

func TestAdminHandler(t *testing.T) {
	t.Parallel()
	env := newEnv(nil)
	working := service.Check{Name: "redis", Ready: func(context.Context) error { return nil }}
	broken := service.Check{Name: "amqp", Ready: func(context.Context) error { return errors.New("connection refused") }}
	for name, tc := range map[string]struct {
		path   string
		checks []service.Check
		status int
		body   string
	}{
		"healthy while not ready": {"/healthz", []service.Check{broken}, 200, `{"status":"ok"}`},
		"ready":                   {"/readyz", []service.Check{working}, 200, `{"ready":true,"checks":[{"name":"redis","ready":true}]}`},
		"not ready": {
			"/readyz",
			[]service.Check{working, broken},
			503,
			`{"ready":false,"checks":[{"name":"redis","ready":true},{"name":"amqp","ready":false,"error":"connection refused"}]}`,
		},
		"started": {"/startupz", []service.Check{working}, 200, `{"status":"started"}`},
		"not started": {
			"/startupz",
			[]service.Check{working, broken},
			503,
			`{"ready":false,"checks":[{"name":"redis","ready":true},{"name":"amqp","ready":false,"error":"connection refused"}]}`,
		},
		"no pprof unasked": {"/debug/pprof/", nil, 404, "404 page not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			service.AdminHandler(env.Metrics, tc.checks...).ServeHTTP(w,
				httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, nil))
			if w.Code != tc.status || strings.TrimSpace(w.Body.String()) != tc.body {
				t.Errorf("answer = %d %s, want %d %s", w.Code, w.Body, tc.status, tc.body)
			}
		})
	}
}

// A check that fails is told by the metrics, and so is one that passes again.
func TestObserveChecks(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	env := newEnv(nil)
	err := service.ObserveChecks(env.Metrics, service.Check{Name: "redis", Ready: func(context.Context) error {
		if down.Load() {
			return errors.New("connection refused")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, up := range []int{1, 0, 1} {
		down.Store(up == 0)
		want := fmt.Sprintf(`
# HELP matriq_ready 1 when the check passes: what /readyz tells.
# TYPE matriq_ready gauge
matriq_ready{check="redis"} %d
`, up)
		if err := testutil.GatherAndCompare(env.Metrics, strings.NewReader(want), "matriq_ready"); err != nil {
			t.Error(err)
		}
	}
}

// Admin is not ready from the moment it is asked to stop, so that nobody is sent
// to it any more; metrics and profiles are served meanwhile.
func TestEnv_Admin_WhileStopping(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	listener := listen(t)
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	env := newEnv(map[string]string{"PPROF": "true", "DRAIN_DELAY": "3s"})
	done := make(chan error, 1)
	go func() { done <- env.Serve(ctx, env.Admin(addr)) }()
	poll(t, "http://"+addr+"/readyz", true)
	stop()
	poll(t, "http://"+addr+"/readyz", false)
	for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
		if got := get(t, "http://"+addr+path); !strings.HasPrefix(got, "200") {
			t.Errorf("%s = %s", path, got)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// poll asks until the answer is that it is, or is not, ready.
func poll(t *testing.T, url string, want bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		status, body, ok := strings.Cut(get(t, url), " ")
		var report struct{ Ready bool }
		if ok && json.Unmarshal([]byte(body), &report) == nil && report.Ready == want && (status == "200") == want {
			return
		}
	}
	t.Fatalf("%s does not become ready=%v", url, want)
}

// get returns status and body, or the error.
func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return strings.Fields(response.Status)[0] + " " + string(body)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
