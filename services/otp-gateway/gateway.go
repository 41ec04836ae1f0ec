// Package otpgateway serves the list of eligible addresses and the one-time
// codes by REST, for the services otp and email.
//
// It holds nothing: every request becomes calls and casts, and any replica
// serves any request. It never sees a code. What otp.create replies is sealed,
// and goes on to the mail worker as it came; what a client sends to /authen goes
// to otp and nowhere else.
//
// While more ask for codes than can be served, the rest is turned away with 503 and
// a time to come again, before a worker is asked; who proves an address is let
// through. What people do on the pages has passed the same kind of gate there, which
// closes earlier, because a step takes longer there than it does here.
//
// Not promised: that a mail has arrived when /getotp answers. The broker has
// stored the order for it by then, with the end of the code's life as deadline.
package otpgateway

import (
	"log/slog"
	"net/http"

	"matriq/pkg/admission"
	"matriq/pkg/rest"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
)

// Bus is how the gateway reaches the workers. [*rpc.Conn] is one.
type Bus interface {
	rpc.Caller
	rpc.Caster
}

// Gateway is the REST surface of otp.
type Gateway struct {
	bus    Bus
	cfg    Config
	log    *slog.Logger
	counts counts
	gate   *admission.Gate
	api    *rest.API
}

// stepsInAVisit are /getotp and /authen, which pass the gate.
const stepsInAVisit = 2

// New returns a gateway that reaches the workers by bus.
func New(bus Bus, cfg Config, env service.Env) *Gateway {
	g := &Gateway{bus: bus, cfg: cfg, log: env.Log, counts: newCounts(env.Metrics), api: rest.New(rest.About{
		Title:       "Matriq: one-time codes",
		Description: "Lists eligible addresses, mails one-time codes to them, and checks the codes.",
	}, cfg.REST, env)}
	g.gate = admission.New(admission.Options{Config: cfg.Admission, Steps: stepsInAVisit, Service: env.Name, Metrics: env.Metrics})
	g.routes()
	return g
}

// Handler serves the surface with its description.
func (g *Gateway) Handler() http.Handler { return g.api.Handler() }
