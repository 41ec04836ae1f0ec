// Package body takes the body of a request in whole before the request goes on, so
// that it can be sent to another replica, and so that who sends slowly keeps a
// replica from nothing.
//
// In a Caddyfile it is "whole_body SIZE". A longer body is refused with 413, one
// that does not come to its end with 408. Who may send how slowly is for the
// server's own timeouts.
//
// What is too long by up to 256 KiB is read to its end before it is refused: net/http
// does that for a connection that stays, and closes one that the client will not use
// again at once. A client that was still writing then saw a reset and not the 413.
package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"
)

// excess is how much is read of what is too long.
const excess = 256 << 10

var errTooLong = errors.New("the body is too long")

// Handler implements the module.
type Handler struct {
	// Limit is the longest body in bytes.
	Limit int64 `json:"limit"`
}

// Register tells Caddy of the module and its directive. Once a process.
func Register() {
	caddy.RegisterModule(Handler{})
	httpcaddyfile.RegisterHandlerDirective("whole_body", parse)
	// Before request_body, which would refuse what is too long without reading it.
	httpcaddyfile.RegisterDirectiveOrder("whole_body", httpcaddyfile.Before, "request_body")
}

func parse(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // the directive's name
	size := ""
	if !h.Args(&size) {
		return nil, h.ArgErr()
	}
	limit, err := humanize.ParseBytes(size)
	if err != nil || limit > 1<<30 {
		return nil, h.Errf("whole_body takes a size up to 1GiB, such as 64KiB, not %q", size)
	}
	return Handler{Limit: int64(limit)}, nil
}

// CaddyModule implements [caddy.Module].
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.whole_body", New: func() caddy.Module { return new(Handler) }}
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.ContentLength == 0 {
		return next.ServeHTTP(w, r)
	}
	if r.ContentLength > h.Limit {
		return tooLong(w, r)
	}
	whole, err := io.ReadAll(io.LimitReader(r.Body, h.Limit+1))
	if err != nil {
		return caddyhttp.Error(http.StatusRequestTimeout, fmt.Errorf("take the body: %w", err))
	}
	if int64(len(whole)) > h.Limit {
		return tooLong(w, r)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(whole)), int64(len(whole)), nil
	return next.ServeHTTP(w, r)
}

// tooLong lets the client finish, within bounds, and tells why the body is refused.
// A client that fails meanwhile is answered all the same. One that asks first whether
// to send the body is not told to, and its connection is ended: net/http would wait for
// the body before it answers.
func tooLong(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, excess)
	} else {
		w.Header().Set("Connection", "close")
	}
	return caddyhttp.Error(http.StatusRequestEntityTooLarge, errTooLong)
}
