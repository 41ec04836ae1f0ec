// Package rest is what the REST gateways share: who may call, what a body may
// look like, how a failure is told, and the description of it all.
//
// A gateway makes an [API], adds its operations with [Post], [Get] and [Upload],
// and serves [API.Handler]. An operation is a function from a request to a reply
// or an error; everything around it happens here, in this order: the request
// gets an ID, the Host is checked, the route is found (with or without a slash at
// its end), the client proves itself by HTTP Basic, and the body is read within
// its limits and decoded without any leniency.
//
// Every answer of 400 and more is an RFC 9457 problem whose type is
// "urn:matriq:problem:" and a stable reason; [rpc.Error]s turn into problems by
// their code and reason. Clients should look at nothing else.
//
// The description is OpenAPI 3.1 at /openapi.json, made from the same
// declarations, and a page at /docs that needs no network. Both are open to
// anybody: they tell what this source code tells.
//
// An operation may stand behind a gate, see package admission: while the program is
// overloaded its calls are answered 503 at once.
//
// Not promised: any limit on how often a client calls. Limits by address and by
// source belong to the service otp, where replicas share them.
package rest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"matriq/pkg/service"
	"matriq/pkg/service/httpd"
)

// About is the head of an API's description.
type About struct {
	Title       string
	Description string
}

// API is the REST surface of one gateway.
type API struct {
	cfg      Config
	service  string
	instance string
	log      *slog.Logger
	mux      *chi.Mux
	huma     huma.API
}

// New returns an API without operations.
func New(about About, cfg Config, env service.Env) *API {
	a := &API{
		cfg:      cfg,
		service:  env.Name,
		instance: env.Instance,
		log:      env.Log,
		mux:      chi.NewMux(),
	}
	a.mux.Use(a.greet)
	a.mux.Use(httpd.Chain(httpd.Options{
		Service: env.Name, Log: env.Log, Traced: env.Traced(), Metrics: env.Metrics,
		Trusted: cfg.TrustedProxies, Hosts: cfg.AllowedHosts.list, Refuse: a.refuse,
	})...)
	a.mux.Use(a.keepHome, middleware.StripSlashes, middleware.GetHead)
	a.mux.NotFound(a.notFound)
	a.mux.MethodNotAllowed(a.methodNotAllowed)
	a.huma = humachi.New(a.mux, a.description(about, env.Version))
	return a
}

// Handler returns what serves the operations added so far, their description
// and its page.
func (a *API) Handler() http.Handler {
	description, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		panic(fmt.Sprintf("rest: describe %s: %v", a.service, err))
	}
	a.mux.Get(pathDescription, serveBytes("application/json", description))
	a.serveDocs()
	return a.mux
}

func serveBytes(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Write(body) //nolint:errcheck,gosec // the client has gone: nobody is left to be told; body is the program's own
	}
}
