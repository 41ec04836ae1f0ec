package httpd

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// Trace makes a span of each request, as part of the trace that it arrives
// with. Observe gives the span its route.
func Trace(service string) Middleware {
	return otelhttp.NewMiddleware(service, otelhttp.WithSpanNameFormatter(
		func(_ string, r *http.Request) string { return r.Method }))
}

// PassTraceOn lets a trace that arrives travel on, where no spans are made: a
// request without one costs next to nothing.
func PassTraceOn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			r = r.WithContext(otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		}
		next.ServeHTTP(w, r)
	})
}
