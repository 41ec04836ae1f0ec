package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// handle runs e for one delivery and tells how it went. kind is how the message
// came, which differs from the route's for a cast that is called. The contexts of
// handlers end with life.
func (s *server) handle(life context.Context, e *endpoint, kind Kind, in inbound, body []byte) (reply []byte, err error) {
	ctx, cancel := s.scope(life, e, in)
	defer cancel()
	ctx, end := s.span(ctx, e.Target, kind, trace.SpanKindServer)
	start := time.Now()
	defer func() {
		var failed *Error
		if err != nil {
			failed = edge(err)
		}
		took := time.Since(start)
		e.stats.observe(took, failed != nil)
		s.metrics.handled.Of(outcomeOf{e.Target, kind, codeLabel(failed)}).Observe(took.Seconds())
		end(failed)
		if err != nil && kind == KindCall {
			s.report(ctx, e.Target, in, err)
		}
	}()
	return s.guarded(ctx, e, body)
}

// scope is the context of a handler: what travels with the message, and the
// shorter of its deadline and the endpoint's own bound.
func (s *server) scope(life context.Context, e *endpoint, in inbound) (context.Context, context.CancelFunc) {
	bound := time.Now().Add(orElse(e.timeout, s.o.HandlerTimeout))
	if !in.deadline.IsZero() && in.deadline.Before(bound) {
		bound = in.deadline
	}
	ctx, cancel := within(life, bound)
	return withTraceParent(&scope{
		Context: ctx,
		meta:    in.meta,
		key:     messageKey{key: in.key, incoming: true},
		stack:   callStack{before: in.stack, method: e.Target},
	}, in.trace), cancel
}

// within is a context that ends at deadline: ctx itself where it does so already.
func within(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if own, ok := ctx.Deadline(); ok && !deadline.Before(own) {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline)
}

// guarded turns a panic into an error, so that one message never takes the
// others of the process with it.
func (s *server) guarded(ctx context.Context, e *endpoint, body []byte) (reply []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.metrics.panics.WithLabelValues(e.Target).Inc()
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return e.serve(ctx, body)
}

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// report logs what goes no further than here: an error without a code, and the
// cause of a fault on this side. What the caller did wrong is its own to know.
func (s *server) report(ctx context.Context, method string, in inbound, err error) {
	e := edge(err)
	if e.Remote || e.cause == nil || (e.Code != Internal && e.Code != Unavailable) {
		return
	}
	s.o.Log.LogAttrs(ctx, slog.LevelError, "call failed", append(logAttrs(method, in, err), slog.String("code", string(e.Code)))...)
}

func logAttrs(method string, in inbound, err error) []slog.Attr {
	attrs := []slog.Attr{slog.String("method", method), slog.String("request_id", in.meta.RequestID), slog.Any("err", err)}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	return attrs
}
