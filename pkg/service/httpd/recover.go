package httpd

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/go-chi/chi/v5/middleware"
)

// Recover turns a panic into one line in the log and an answer of 500, or, when
// the answer has begun, into a cut connection, so that half of it is not taken
// for the whole. [http.ErrAbortHandler] passes through, as net/http means it.
func Recover(log *slog.Logger, refuse func(http.ResponseWriter, *http.Request, int)) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(cause)
				}
				log.LogAttrs(r.Context(), slog.LevelError, "panic in a handler",
					slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
				if answer.Status() != 0 {
					panic(http.ErrAbortHandler)
				}
				refuse(answer, r, http.StatusInternalServerError)
			}()
			next.ServeHTTP(answer, r)
		})
	}
}
