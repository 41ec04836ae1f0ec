package rpc

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// traceParent returns the W3C trace context of ctx, or "".
func traceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// withTraceParent returns a context that continues the trace of the header.
func withTraceParent(ctx context.Context, header string) context.Context {
	if header == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": header})
}
