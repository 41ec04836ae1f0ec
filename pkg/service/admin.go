package service

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTimeout bounds one check: a health check asks every few seconds.
const checkTimeout = 2 * time.Second

// Check is one thing a program cannot work without.
type Check struct {
	// Name is what /readyz calls it: "amqp".
	Name string
	// Ready returns nil when it works. It has two seconds.
	Ready func(ctx context.Context) error
	// Foreign is true for what others run, such as a mail relay: a program has
	// started without it.
	Foreign bool
}

// Admin serves the operator's pages on addr:
//
//	/healthz   200 while the process serves
//	/startupz  200 once all checks but the foreign ones have passed together,
//	           whatever became of them since; until then 503, as /readyz
//	/readyz    200 when every check passes, else 503; JSON with each check's
//	           error. From the moment it is asked to stop: 503
//	/metrics   Prometheus; the checks are in it too, as matriq_ready
//
// and with PPROF=true /debug/pprof. It has no access control: the port belongs
// on an inner network.
func (e Env) Admin(addr string, checks ...Check) Part {
	return func(ctx context.Context) error {
		checks := append([]Check{{Name: "running", Ready: func(context.Context) error {
			if ctx.Err() != nil {
				return errStopping
			}
			return nil
		}}}, checks...)
		if err := ObserveChecks(e.Metrics, checks...); err != nil {
			return err
		}
		mux := AdminHandler(e.Metrics, checks...)
		if e.common.Pprof {
			mux = withPprof(mux)
		}
		return e.HTTP(addr, mux, HTTPOptions{})(ctx)
	}
}

var errStopping = errors.New("was asked to stop")

// AdminHandler is what [Env.Admin] serves, for a process that has several
// environments and gathers the metrics of all.
func AdminHandler(metrics prometheus.Gatherer, checks ...Check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	started := newStartup(checks)
	mux.Handle("GET /startupz", started)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		report := ask(r.Context(), checks)
		if report.Ready {
			started.pass()
		}
		writeJSON(w, report.status(), report)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}

func withPprof(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool          `json:"ready"`
	Checks []checkResult `json:"checks"`
}

type checkResult struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Error string `json:"error,omitempty"`
}

func (r readiness) status() int {
	if r.Ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// ask runs the checks at the same time.
func ask(ctx context.Context, checks []Check) readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make([]checkResult, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { results[i] = c.result(ctx) })
	}
	all.Wait()
	report := readiness{Ready: true, Checks: results}
	for _, r := range results {
		report.Ready = report.Ready && r.Ready
	}
	return report
}

func (c Check) result(ctx context.Context) checkResult {
	if err := c.Ready(ctx); err != nil {
		return checkResult{Name: c.Name, Error: err.Error()}
	}
	return checkResult{Name: c.Name, Ready: true}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	//nolint:errcheck,gosec // G104: the client has gone: nobody is left to be told
	json.NewEncoder(w).Encode(body)
}
