package rest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/admission"
	"matriq/pkg/rest"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
)

// What a worker could not answer says nothing of what can be served; a refusal is
// an answer.
func TestGate_CountsWhatIsServed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail  error
		grows bool
	}{
		"answered":         {nil, true},
		"refused":          {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("resend_too_soon"), true},
		"nobody was there": {rpc.Errorf(rpc.Unavailable, "nobody"), false},
		"broken":           {rpc.Errorf(rpc.Internal, "broken"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGated(t, func() error { return tc.fail })
			for range 100 {
				g.answer(t)
			}
			if limit := g.metric(t, "matriq_admission_limit"); limit > 1 != tc.grows {
				t.Errorf("the limit is %v", limit)
			}
			if under := g.metric(t, "matriq_admission_under_way"); under != 0 {
				t.Errorf("%v are under way when all have ended", under)
			}
		})
	}
}

// A handler that panics is no longer under way.
func TestGate_SurvivesAPanic(t *testing.T) {
	t.Parallel()
	g := newGated(t, func() error { panic("boom") })
	if w := g.answer(t); w.Code != http.StatusInternalServerError {
		t.Errorf("answer = %d", w.Code)
	}
	if under := g.metric(t, "matriq_admission_under_way"); under != 0 {
		t.Errorf("%v are under way", under)
	}
}

// gated is an API with one operation behind a gate.
type gated struct {
	http.Handler
	metrics *prometheus.Registry
}

func newGated(t *testing.T, respond func() error) *gated {
	t.Helper()
	cfg := rest.Config{MaxBody: 4096}
	if err := cfg.Clients.UnmarshalText([]byte("ui:correct horse battery:otp")); err != nil {
		t.Fatal(err)
	}
	env := service.NewEnv("bench", nil, slog.New(slog.DiscardHandler))
	gate := admission.New(admission.Options{
		Config: admission.Config{Target: time.Minute, Floor: 1}, Service: "bench", Metrics: env.Metrics,
	})
	api := rest.New(rest.About{Title: "Bench"}, cfg, env)
	rest.Post(api, rest.Operation{Path: "/echo", Name: "echo", Scope: rest.ScopeOTP, Gate: gate},
		func(_ *http.Request, req echo) (echo, error) { return req, respond() })
	return &gated{Handler: api.Handler(), metrics: env.Metrics}
}

func (g *gated) answer(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, request(t, http.MethodPost, "/echo", goodBody))
	return w
}

func (g *gated) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := g.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
