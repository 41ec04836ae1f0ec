package service

import (
	"context"
	"io"
	"log/slog"

	"matriq/pkg/rpc"
)

// newLogger writes the form that LOG_FORMAT and LOG_LEVEL ask for. Faults of the
// two are reported by whoever decodes; until then their defaults hold.
func newLogger(w io.Writer, vars map[string]string) *slog.Logger {
	var c Common
	_ = decode(vars, &c) // NewEnv reports the same faults
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var h slog.Handler = slog.NewJSONHandler(w, options)
	if c.LogFormat == "text" {
		h = slog.NewTextHandler(w, options)
	}
	return slog.New(WithRequestID(h))
}

// WithRequestID returns a handler that adds the request ID of the context, where
// it has one, to every line that next writes.
func WithRequestID(next slog.Handler) slog.Handler { return requestIDHandler{next} }

type requestIDHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h requestIDHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := rpc.MetaFrom(ctx).RequestID; id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h requestIDHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestIDHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h requestIDHandler) WithGroup(name string) slog.Handler {
	return requestIDHandler{h.Handler.WithGroup(name)}
}
