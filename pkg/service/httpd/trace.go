package httpd

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// Trace makes a span of each request, as part of the trace that it arrives
// with. Observe gives the span its route.
func Trace(service string) Middleware {
	return otelhttp.NewMiddleware(service, otelhttp.WithSpanNameFormatter(
		func(_ string, r *http.Request) string { return r.Method }))
}
