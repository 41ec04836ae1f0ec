package rpc

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceParent returns the W3C trace context of ctx, or "".
func traceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
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

// traced starts the span of a message on its way out, below the one that m
// brought along when ctx has none, as in an outbox.
func (c *Conn) traced(ctx context.Context, m *Message) (context.Context, func(*Error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = withTraceParent(ctx, m.TraceParent)
	}
	kind := trace.SpanKindProducer
	if m.Kind == KindCall {
		kind = trace.SpanKindClient
	}
	ctx, end := c.span(ctx, m.Target, m.Kind, kind)
	m.TraceParent = traceParent(ctx)
	return ctx, end
}

// spanKind is what spans of messages differ in, beside their names.
type spanKind struct {
	kind Kind
	role trace.SpanKind
}

// spanOptions are made once.
func spanOptions() map[spanKind][]trace.SpanStartOption {
	options := map[spanKind][]trace.SpanStartOption{}
	for _, kind := range []Kind{KindCall, KindCast, KindEvent} {
		for _, role := range []trace.SpanKind{trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindServer} {
			options[spanKind{kind, role}] = []trace.SpanStartOption{
				trace.WithSpanKind(role),
				trace.WithAttributes(attribute.String("rpc.system", "matriq"), attribute.String("matriq.kind", string(kind))),
			}
		}
	}
	return options
}

// traces tells whether spans of tracer go anywhere. Without a provider it hands the
// trace on as it came, which is what becomes of it when no span is started. The
// question is asked below a parent that is not sampled, and so is never exported.
func traces(tracer trace.Tracer) bool {
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true})
	_, span := tracer.Start(trace.ContextWithSpanContext(context.Background(), parent), "traces")
	defer span.End()
	return span.SpanContext().SpanID() != parent.SpanID()
}

func untraced(*Error) {}

// span starts a span; the function it returns ends it.
func (c *Conn) span(ctx context.Context, name string, kind Kind, role trace.SpanKind) (context.Context, func(*Error)) {
	if !c.traces {
		return ctx, untraced
	}
	ctx, span := c.tracer.Start(ctx, name, c.spans[spanKind{kind, role}]...)
	return ctx, func(e *Error) {
		if e != nil {
			span.SetStatus(codes.Error, string(e.Code))
			span.SetAttributes(attribute.String("matriq.reason", e.Reason))
		}
		span.End()
	}
}
