// Package cache is a handler for Caddy that keeps public answers in memory, so
// that the rush for the first page ends at the edge.
//
// It keeps an answer only if that says so: 200 with Cache-Control public and a
// max-age, a Content-Length, no Set-Cookie, and a Vary of nothing but
// Accept-Encoding and Accept-Language. Requests with Authorization or Range go
// past it. What it fetches it fetches without the cookies of the person who
// happened to ask, and once for all who ask at the same time. When the fetch fails
// it gives what it has for a while longer.
//
// Not promised: that an answer is kept. The cache is bounded, each edge has its
// own, and it begins empty.
package cache

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
)

// pause is how long the upstream is left alone after a failure, while there is a
// stale answer to give.
const pause = 5 * time.Second

// Handler is the directive cache.
type Handler struct {
	// MaxEntries and MaxBytes bound what is kept; what was not asked for longest
	// goes first.
	MaxEntries int `json:"max_entries,omitempty"`
	MaxBytes   int `json:"max_bytes,omitempty"`
	// Stale is how long after its end an answer is given when there is no newer.
	Stale caddy.Duration `json:"stale,omitempty"`

	store   *store
	flights *flights
	answers *prometheus.CounterVec // nil where nobody counts
}

// Register tells Caddy of the module and its directive, which comes inside of
// encode. Once a process.
func Register() {
	caddy.RegisterModule(&Handler{})
	httpcaddyfile.RegisterHandlerDirective("cache", parse)
	httpcaddyfile.RegisterDirectiveOrder("cache", httpcaddyfile.After, "encode")
}

func parse(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := &Handler{}
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// CaddyModule implements [caddy.Module].
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.cache", New: func() caddy.Module { return &Handler{} }}
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler].
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	for d.NextBlock(0) {
		var err error
		name, value := d.Val(), ""
		if !d.Args(&value) {
			return d.ArgErr()
		}
		switch name {
		case "max_entries":
			h.MaxEntries, err = parseCount(value)
		case "max_bytes":
			h.MaxBytes, err = parseSize(value)
		case "stale":
			var stale time.Duration
			stale, err = caddy.ParseDuration(value)
			h.Stale = caddy.Duration(stale)
		default:
			return d.Errf("cache has no %s", name)
		}
		if err != nil {
			return d.Errf("%s %s: %v", name, value, err)
		}
	}
	return nil
}

// Provision implements [caddy.Provisioner].
func (h *Handler) Provision(ctx caddy.Context) error {
	if h.MaxEntries <= 0 {
		h.MaxEntries = 1000
	}
	if h.MaxBytes <= 0 {
		h.MaxBytes = 32 << 20
	}
	h.store = newStore(h.MaxEntries, h.MaxBytes)
	h.flights = newFlights()
	return h.count(ctx.GetMetricsRegistry())
}

// count registers matriq_edge_cache_answers_total, whose result is hit, stale,
// stored (asked for and kept from now on) or passed (asked for and not kept).
// Several handlers of one config count together.
func (h *Handler) count(metrics *prometheus.Registry) error {
	if metrics == nil {
		return nil
	}
	h.answers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_edge_cache_answers_total", Help: "Answers at paths that may be kept, by where they came from.",
	}, []string{"result"})
	err := metrics.Register(h.answers)
	if before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		h.answers, ok = before.ExistingCollector.(*prometheus.CounterVec)
		if ok {
			return nil
		}
	}
	return err
}

func (h *Handler) note(result string) {
	if h.answers != nil {
		h.answers.WithLabelValues(result).Inc()
	}
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	key, ok := keyOf(r)
	if !ok {
		return next.ServeHTTP(w, r)
	}
	if a := h.store.get(key); a.usable(time.Now()) {
		return h.give(a, w, r)
	}
	if r.Method == http.MethodHead {
		return next.ServeHTTP(w, r)
	}
	land, landed := h.flights.board(key)
	if land != nil {
		defer land()
		return h.fetch(w, r, next, key)
	}
	select {
	case <-landed:
	case <-r.Context().Done():
		return r.Context().Err()
	}
	if a := h.store.get(key); a.usable(time.Now()) {
		return h.give(a, w, r)
	}
	h.note("passed")
	return next.ServeHTTP(w, r) // it was not to be kept: to each their own
}

// give serves what was kept.
func (h *Handler) give(a *answer, w http.ResponseWriter, r *http.Request) error {
	if time.Now().Before(a.ends) {
		h.note("hit")
	} else {
		h.note("stale")
	}
	return a.serve(w, r, "hit")
}

// fetch asks next and keeps the answer if it may. An answer that may not be kept
// goes through as it comes.
func (h *Handler) fetch(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, key string) error {
	old := h.store.get(key)
	if old.usable(time.Now()) { // since the caller looked
		return h.give(old, w, r)
	}
	fallback := old.servable(time.Now())
	before := w.Header().Clone()
	recorder := caddyhttp.NewResponseRecorder(w, &bytes.Buffer{}, func(status int, header http.Header) bool {
		return lifetime(status, header) > 0 || fallback && status >= http.StatusInternalServerError
	})
	err := next.ServeHTTP(recorder, shared(r))
	switch {
	case fallback && recorder.Buffered() && (err != nil || recorder.Status() >= http.StatusInternalServerError):
		rewind(w.Header(), before)
		kept := old.pausedUntil(time.Now().Add(pause))
		h.store.put(key, kept)
		return h.give(kept, w, r)
	case err != nil || !recorder.Buffered():
		h.note("passed")
		return err
	}
	h.note("stored")
	fresh := newAnswer(recorder.Header(), recorder.Buffer().Bytes(), time.Now(), time.Duration(h.Stale))
	h.store.put(key, fresh)
	return fresh.serve(w, r, "fwd=miss; stored")
}

// rewind takes back what a failed answer wrote into header.
func rewind(header, before http.Header) {
	clear(header)
	maps.Copy(header, before)
}
