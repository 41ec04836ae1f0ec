package httpd

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"matriq/pkg/metric"
	"matriq/pkg/rpc"
)

// noRoute labels requests that no route matched: their paths are made up by
// strangers and would grow the metrics without bound.
const noRoute = "none"

// Observe writes a line of the access log for each request, counts it by method,
// route and status, and notes its latency. The log has the route's pattern and
// never the path's values or the query.
func Observe(service string, metrics prometheus.Registerer, log *slog.Logger) Middleware {
	return NewRequests(service, metrics).observing(func(r *http.Request, seen observation) {
		seen.log(r, log)
		nameSpan(r, seen)
	})
}

// Requests counts requests by method, route and status, and notes their latency.
type Requests struct {
	inFlight prometheus.Gauge
	outcomes *metric.Children[outcome, outcomeMetrics]
}

// Measure counts every request that next gets: it is [Observe] without the access log.
func (m *Requests) Measure(next http.Handler) http.Handler { return m.observing(nameSpan)(next) }

// Pending is a request that is being answered.
type Pending struct {
	of    *Requests
	start time.Time
}

// Begin counts a request that does not pass through [Requests.Measure]. Its End must
// follow, whatever happens.
func (m *Requests) Begin() Pending {
	m.inFlight.Inc()
	return Pending{m, time.Now()}
}

// End tells how the request was answered, by a handler of the pattern route. The
// method must be one that the handler knows: a label is not for what strangers make up.
func (p Pending) End(method, route string, status int) {
	p.of.inFlight.Dec()
	p.of.add(outcome{method, route, status}, time.Since(p.start))
}

// observing counts each request in m and then hands it to done.
func (m *Requests) observing(done func(*http.Request, observation)) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			m.inFlight.Inc()
			defer func() {
				m.inFlight.Dec()
				seen := observation{
					outcome: outcome{method(r), route(r), status(answer)},
					bytes:   answer.BytesWritten(), took: time.Since(start),
				}
				m.add(seen.outcome, seen.took)
				done(r, seen)
			}()
			next.ServeHTTP(answer, r)
		})
	}
}

// observation is what is kept of a request.
type observation struct {
	outcome
	bytes int
	took  time.Duration
}

func (o observation) log(r *http.Request, log *slog.Logger) {
	log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("method", o.method),
		slog.String("route", o.route),
		slog.Int("status", o.status),
		slog.Int("bytes", o.bytes),
		slog.Float64("duration_ms", float64(o.took.Microseconds())/1000),
		slog.String("client_ip", rpc.MetaFrom(r.Context()).ClientIP),
	)
}

func nameSpan(r *http.Request, o observation) {
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	span.SetName(o.method + " " + o.route)
	span.SetAttributes(attribute.String("http.route", o.route),
		attribute.String("request_id", rpc.MetaFrom(r.Context()).RequestID))
}

// route is the pattern that matched, chi's or the standard library's.
func route(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		if pattern := c.RoutePattern(); pattern != "" && pattern != "/*" {
			return pattern
		}
	}
	switch r.Pattern {
	case "", "/": // the standard library's way to catch all
		return noRoute
	default:
		return strings.TrimSuffix(r.Pattern, "{$}")
	}
}

// method bounds the label: HTTP lets a client make up its own.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	default:
		return "other"
	}
}

// status is 200 for a handler that wrote nothing, as net/http has it.
func status(answer middleware.WrapResponseWriter) int {
	if s := answer.Status(); s != 0 {
		return s
	}
	return http.StatusOK
}

// outcome is what requests are counted by.
type outcome struct {
	method, route string
	status        int
}

type outcomeMetrics struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// NewRequests registers the http_ metrics of a service; none are kept if metrics is
// nil.
func NewRequests(service string, metrics prometheus.Registerer) *Requests {
	labels := prometheus.Labels{"service": service}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_http_requests_total", ConstLabels: labels,
		Help: "HTTP requests answered, by method, route and status.",
	}, []string{"method", "route", "status"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "matriq_http_request_duration_seconds", ConstLabels: labels,
		Help:    "Time from the last header to the end of the answer, by method and route.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"method", "route"})
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "matriq_http_requests_in_flight", ConstLabels: labels,
		Help: "HTTP requests being answered.",
	})
	if metrics != nil {
		metrics.MustRegister(requests, duration, inFlight)
	}
	return &Requests{inFlight: inFlight, outcomes: metric.NewChildren(func(o outcome) outcomeMetrics {
		return outcomeMetrics{
			requests: requests.WithLabelValues(o.method, o.route, strconv.Itoa(o.status)),
			duration: duration.WithLabelValues(o.method, o.route),
		}
	})}
}

func (m *Requests) add(o outcome, took time.Duration) {
	of := m.outcomes.Of(o)
	of.requests.Inc()
	of.duration.Observe(took.Seconds())
}
