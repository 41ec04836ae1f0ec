package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// farewellTime is how long an edge that leaves says so, before its connections end:
// people who are on their way come by within it.
const farewellTime = 3 * time.Second

// farewell tells clients with their next answer that their connection ends, once the
// edge is to leave. A connection that ended without a word could have a request on
// it that nobody answers, and that nobody may send again.
//
// In a Caddyfile it is "farewell".
type farewell struct{ leaving *atomic.Bool }

// registerFarewell tells Caddy of the module and its directive. Once a process.
func registerFarewell(leaving *atomic.Bool) {
	f := farewell{leaving}
	caddy.RegisterModule(f)
	httpcaddyfile.RegisterHandlerDirective("farewell", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next() // the directive's name
		if h.NextArg() {
			return nil, h.ArgErr()
		}
		return f, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("farewell", httpcaddyfile.Before, "encode")
}

// CaddyModule implements [caddy.Module].
func (f farewell) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.farewell", New: func() caddy.Module { return &farewell{f.leaving} }}
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (f farewell) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if f.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	return next.ServeHTTP(w, r)
}
