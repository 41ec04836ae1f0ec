package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"matriq/pkg/api/restapi"
	"matriq/pkg/rest"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
)

const clients = "ui:correct horse battery:otp+register,loader:load my list, please:import,clerk:a:colon:in:it:otp"

// echo is the operation that the tests of this package call.
type echo struct {
	Email string `json:"email"`
	OTP   string `json:"otp"`
}

type bench struct {
	http.Handler
	env   service.Env
	log   *bytes.Buffer
	calls atomic.Int32
	// respond answers /echo; the default echoes.
	respond func(*http.Request, echo) (echo, error)
	meta    rpc.Meta
}

// newBench serves /echo, /things/{id} and /upload under cfg.
func newBench(t *testing.T, alter ...func(*rest.Config)) *bench {
	t.Helper()
	cfg := rest.Config{MaxBody: 4096}
	if err := cfg.Clients.UnmarshalText([]byte(strings.Replace(clients, ", please", " please", 1))); err != nil {
		t.Fatal(err)
	}
	for _, fn := range alter {
		fn(&cfg)
	}
	b := &bench{log: new(bytes.Buffer), respond: func(_ *http.Request, req echo) (echo, error) { return req, nil }}
	b.env = service.NewEnv("bench", nil, slog.New(service.WithRequestID(slog.NewJSONHandler(b.log, nil))))
	api := rest.New(rest.About{Title: "Bench"}, cfg, b.env)
	rest.Post(api, rest.Operation{Path: "/echo", Name: "echo", Scope: rest.ScopeOTP}, func(r *http.Request, req echo) (echo, error) {
		b.calls.Add(1)
		b.meta = rpc.MetaFrom(r.Context())
		return b.respond(r, req)
	})
	rest.Get(api, rest.Operation{
		Path: "/things/{id}", Name: "thing", Scope: rest.ScopeRegister,
		Parameters: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}},
	}, func(r *http.Request) (string, error) {
		b.calls.Add(1)
		return r.PathValue("id"), nil
	})
	rest.Upload(api, rest.Operation{Path: "/upload", Name: "upload", Scope: rest.ScopeImport}, 1000,
		[]rest.Format{{MediaType: "text/csv"}}, func(r *http.Request, _ string) (int, error) {
			b.calls.Add(1)
			body, err := io.ReadAll(r.Body)
			return len(body), err
		})
	b.Handler = api.Handler()
	return b
}

const goodBody = `{"email":"a@x.th","otp":"012345"}`

// request is a good POST /echo, to be spoiled.
func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("ui", "correct horse battery")
	return r
}

func (b *bench) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// wantProblem checks the whole form of a problem.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, reason string) restapi.Problem {
	t.Helper()
	var p restapi.Problem
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("answer %d %q is no problem: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Status != status || p.Type != restapi.ProblemTypePrefix+reason {
		t.Errorf("problem = %d %s, want %d %s: %s", w.Code, p.Type, status, reason, p.Detail)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if p.Title == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("problem lacks something: %+v", p)
	}
	if wantsRetry := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable; wantsRetry && p.RetryAfter < 1 {
		t.Errorf("problem %d without retry_after", status)
	}
	return p
}

func (b *bench) logged(msg string) int { return strings.Count(b.log.String(), `"msg":"`+msg+`"`) }

// localAddr is the address a request arrived on.
type localAddr string

func (a localAddr) Network() string { return "tcp" }
func (a localAddr) String() string  { return string(a) }

func arrivedOn(r *http.Request, addr string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, localAddr(addr)))
}
