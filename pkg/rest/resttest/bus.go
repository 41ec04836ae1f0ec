package resttest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/pkg/rpc"
)

// Answers say what each "service.method" replies to its arguments.
type Answers = map[string]func(args []json.RawMessage) (any, error)

// Bus answers calls and takes casts as the workers would, and remembers them.
type Bus struct {
	mu      sync.Mutex
	answers Answers
	sent    []rpc.Message
}

// NewBus returns a bus on which nobody serves what answers does not have.
func NewBus(answers Answers) *Bus { return &Bus{answers: answers} }

// Call implements [rpc.Caller].
func (b *Bus) Call(ctx context.Context, m rpc.Message) ([]byte, error) {
	reply, err := b.handle(ctx, m)
	if err != nil {
		return nil, err
	}
	return json.Marshal(reply)
}

// Cast implements [rpc.Caster].
func (b *Bus) Cast(ctx context.Context, m rpc.Message) error {
	_, err := b.handle(ctx, m)
	return err
}

func (b *Bus) handle(ctx context.Context, m rpc.Message) (any, error) {
	b.mu.Lock()
	b.sent = append(b.sent, m)
	answer, ok := b.answers[m.Target]
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

// Sent returns what was sent, in order.
func (b *Bus) Sent() []rpc.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]rpc.Message(nil), b.sent...)
}

// Targets lists the targets of what was sent, in order.
func (b *Bus) Targets() string {
	var targets []string
	for _, m := range b.Sent() {
		targets = append(targets, m.Target)
	}
	return strings.Join(targets, " ")
}

// Forget forgets what was sent.
func (b *Bus) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = nil
}

// Fixed answers always alike.
func Fixed(reply any) func([]json.RawMessage) (any, error) {
	return func([]json.RawMessage) (any, error) { return reply, nil }
}

// Failing fails always alike.
func Failing(err error) func([]json.RawMessage) (any, error) {
	return func([]json.RawMessage) (any, error) { return nil, err }
}

// WantProblem fails the test unless w is the problem of a reason.
func WantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, reason string) restapi.Problem {
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

// WantBody fails the test unless w is a 200 with the body want.
func WantBody(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != want {
		t.Errorf("answer = %d %s, want 200 %s", w.Code, got, want)
	}
}
