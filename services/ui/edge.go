package ui

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// policy lets a page load this site's own stylesheet, script and pictures, send
// forms here, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// trace begins a trace where somebody collects them. One that a stranger sends is
// linked, not continued.
func (u *UI) trace(next http.Handler) http.Handler {
	if !u.traced {
		return next
	}
	return otelhttp.NewHandler(next, "ui", otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
}

// newGreeting is the header of every answer: who gives it, and what it may do.
func (u *UI) newGreeting() header {
	pairs := []string{
		"X-Served-By", u.instance,
		"Content-Security-Policy", policy,
		"X-Content-Type-Options", "nosniff",
		"Referrer-Policy", "no-referrer",
		"Cross-Origin-Opener-Policy", "same-origin",
	}
	if u.cfg.secure() {
		pairs = append(pairs, "Strict-Transport-Security", "max-age=31536000")
	}
	return fixed(pairs...)
}

func (u *UI) identify(next http.Handler) http.Handler {
	greeting := u.newGreeting()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		greeting.putInto(w.Header())
		next.ServeHTTP(w, r)
	})
}

// recover turns a panic into a page.
func (u *UI) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { //nolint:contextcheck // the context is the request's
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause)
			default:
				u.log.ErrorContext(r.Context(), "panic in a handler",
					slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
				u.tell(w, r, problemInternal)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// checkHost refuses requests that were meant for another host, but for what the
// page needs that says so.
func (u *UI) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !u.hosts.allow(r.Host) && !strings.HasPrefix(r.URL.Path, pathStatic) {
			u.tell(w, r, problem{status: http.StatusMisdirectedRequest, name: "host"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// newCSRF refuses forms that another site sends. Browsers that say nothing of
// the site are judged by Origin; what sends neither is no browser.
func (u *UI) newCSRF() (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	origin := u.cfg.origin()
	if err := p.AddTrustedOrigin(origin.Scheme + "://" + origin.Host); err != nil {
		return nil, err
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.tell(w, r, problem{status: http.StatusForbidden, name: "origin"})
	}))
	return p, nil
}
