// Package httpd is the middleware that the pages and the gateways share: bodies that
// nobody read, request IDs, traces, metrics, the access log, panics and the hosts
// that are answered.
//
// [Chain] has them in the order in which they must stand; a router takes them
// with one call of Use:
//
//	r.Use(httpd.Chain(httpd.Options{Service: env.Name, Log: env.Log, …})...)
//
// Not here: credentials, sessions, and the form of an error. Those belong to
// whoever serves.
package httpd

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/clientip"
)

// Middleware wraps a handler.
type Middleware = func(http.Handler) http.Handler

// Options say what [Chain] works with.
type Options struct {
	// Service is the service label of the metrics and the name of the spans.
	Service string
	// Log gets the access log and the panics; required.
	Log *slog.Logger
	// Traced makes a span of each request; without it traces only pass through.
	Traced bool
	// Metrics registers the http_ metrics; none are kept if nil.
	Metrics prometheus.Registerer
	// Trusted proxies are believed about the client's address.
	Trusted clientip.Trusted
	// Hosts are answered, others get 421; all are if it is empty.
	Hosts Hosts
	// Refuse writes the answer of 421 and 500 in the server's own form; plain
	// text if nil.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
}

// Chain returns all middleware, the outermost first.
func Chain(o Options) []Middleware {
	if o.Refuse == nil {
		o.Refuse = refusePlainly
	}
	trace := PassTraceOn
	if o.Traced {
		trace = Trace(o.Service)
	}
	return []Middleware{
		Drain,
		RequestID(o.Trusted),
		trace,
		Observe(o.Service, o.Metrics, o.Log),
		Recover(o.Log, o.Refuse),
		AllowHosts(o.Hosts, o.Refuse),
	}
}

func refusePlainly(w http.ResponseWriter, _ *http.Request, status int) {
	http.Error(w, http.StatusText(status), status)
}
