// Package registergateway serves registrations by REST, for the service student.
//
// It registers an address only when that has just proved itself, whatever the
// client says: otp says so, by the proof that it signed for the client or, where
// none counts, when it is asked. Then it makes one call, student.insert;
// everything that follows a registration is student's to see to, so that nothing
// is lost when this gateway dies between two steps.
//
// It holds nothing but the key of the proofs: any replica serves any request. Whoever repeats a
// registration gets the same student ID, with or without an Idempotency-Key.
//
// Not promised: that a repeat is answered once the proof of the address has
// lapsed, 15 minutes after the code, even under its Idempotency-Key. It is then
// not_verified; asking by the student ID still works.
package registergateway

import (
	"fmt"
	"net/http"

	"matriq/pkg/proof"
	"matriq/pkg/rest"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
)

// Bus is how the gateway reaches the workers. [*rpc.Conn] is one.
type Bus interface {
	rpc.Caller
	rpc.Caster
}

// Gateway is the REST surface of student.
type Gateway struct {
	bus    Bus
	proofs proof.Keys
	api    *rest.API
}

// New returns a gateway that reaches the workers by bus. It fails when the key of
// cfg cannot be read.
func New(bus Bus, cfg Config, env service.Env) (*Gateway, error) {
	proofs, err := proof.ParseKeys(cfg.ProofKey)
	if err != nil {
		return nil, fmt.Errorf("OTP_PROOF_KEY: %w", err)
	}
	g := &Gateway{bus: bus, proofs: proofs, api: rest.New(rest.About{
		Title:       "Matriq: registration",
		Description: "Registers the owner of an address that has proved itself, and tells how far a registration has come.",
	}, cfg.REST, env)}
	g.routes()
	return g, nil
}

// Handler serves the surface with its description.
func (g *Gateway) Handler() http.Handler { return g.api.Handler() }
