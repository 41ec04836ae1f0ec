package registergateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
	registergateway "matriq/services/register-gateway"
)

// bus answers calls and takes casts as the workers would.
type bus struct {
	mu   sync.Mutex
	sent []rpc.Message
	// answer replies to a target's messages; those without one fail the test.
	answer map[string]func(args []json.RawMessage) (any, error)
}

func (b *bus) Call(ctx context.Context, m rpc.Message) ([]byte, error) {
	reply, err := b.handle(ctx, m)
	if err != nil {
		return nil, err
	}
	return json.Marshal(reply)
}

func (b *bus) Cast(ctx context.Context, m rpc.Message) error {
	_, err := b.handle(ctx, m)
	return err
}

func (b *bus) handle(ctx context.Context, m rpc.Message) (any, error) {
	b.mu.Lock()
	b.sent = append(b.sent, m)
	answer, ok := b.answer[m.Target]
	b.mu.Unlock()
	if !ok {
		return nil, rpc.Errorf(rpc.Internal, "nobody serves %s", m.Target)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var body struct{ Args []json.RawMessage }
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return nil, err
	}
	return answer(body.Args)
}

// targets lists what was sent, in order.
func (b *bus) targets() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var targets []string
	for _, m := range b.sent {
		targets = append(targets, m.Target)
	}
	return strings.Join(targets, " ")
}

func fixed(reply any) func([]json.RawMessage) (any, error) {
	return func([]json.RawMessage) (any, error) { return reply, nil }
}

func failing(err error) func([]json.RawMessage) (any, error) {
	return func([]json.RawMessage) (any, error) { return nil, err }
}

// desk is a gateway on a bus.
type desk struct {
	http.Handler
	bus *bus
	log *bytes.Buffer
}

const apiClients = "ui:correct horse battery:otp+register,school:another long password:register,loader:load my list please:import"

func newDesk(t *testing.T, answer map[string]func([]json.RawMessage) (any, error)) *desk {
	t.Helper()
	vars := map[string]string{"AMQP_URL": "amqp://127.0.0.1", "API_CLIENTS": apiClients}
	d := &desk{bus: &bus{answer: answer}, log: new(bytes.Buffer)}
	env := service.NewEnv("register-gateway", vars, slog.New(slog.NewJSONHandler(d.log, nil)))
	cfg, err := registergateway.ReadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	d.Handler = registergateway.New(d.bus, cfg, env).Handler()
	return d
}

const (
	jsonType = "application/json"
	goodBody = `{"firstname":"มานะ","lastname":"Jaidee","email":"a@x.th"}`
)

func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	r.SetBasicAuth("ui", "correct horse battery")
	return r
}

func (d *desk) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, reason string) restapi.Problem { //nolint:unparam // the form of both gateways
	t.Helper()
	var p restapi.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("answer %d %q is no problem: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Type != restapi.ProblemTypePrefix+reason {
		t.Errorf("problem = %d %s, want %d %s: %s", w.Code, p.Type, status, reason, p.Detail)
	}
	return p
}

func wantBody(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != want {
		t.Errorf("answer = %d %s, want 200 %s", w.Code, got, want)
	}
}
