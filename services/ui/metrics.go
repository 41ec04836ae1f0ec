package ui

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func newSeconds(registry prometheus.Registerer) (*prometheus.HistogramVec, error) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ui_request_duration_seconds",
		Help:    "Requests for pages by route, method and status.",
		Buckets: []float64{.001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
	}, []string{"route", "method", "status"})
	return seconds, registry.Register(seconds)
}

// measure observes every request under its route. Paths and methods that
// clients make up are counted together.
func (u *UI) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		watched := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(watched, r)
		// The mux has set the pattern of this very request.
		route := r.Pattern
		if route == "" || route == "/" {
			route = "none"
		}
		method := r.Method
		if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, method) {
			method = "other"
		}
		u.seconds.WithLabelValues(route, method, strconv.Itoa(watched.status)).Observe(time.Since(start).Seconds())
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
