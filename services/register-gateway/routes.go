package registergateway

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"matriq/pkg/api/restapi"
	"matriq/pkg/rest"
)

// routes is the whole surface.
func (g *Gateway) routes() {
	rest.Post(g.api, rest.Operation{
		Path:    restapi.PathRegister,
		Name:    "register",
		Summary: "Register the owner of an address",
		Description: "The address must have proved itself by `/authen` in the last 15 minutes. The proof that came with that may be sent along, and makes this quicker; one that does not count is as none. Whoever repeats a registration gets the same student ID; " +
			"the names of the first one stay. Under an `Idempotency-Key` the same body, with any proof or none, gets the same answer for 24 hours, as long as the address counts as proved, and another body is refused.",
		Scope:      rest.ScopeRegister,
		Parameters: []*huma.Param{rest.IdempotencyKeyParam()},
		Reasons: []string{
			rest.NotVerified, rest.BadEmail, rest.BadFirstname, rest.BadLastname,
			rest.BadIdempotencyKey, rest.IdempotencyKeyReused, rest.IdempotencyKeyInFlight,
		},
		Request: restapi.RegisterRequest{Firstname: "Mana", Lastname: "Jaidee", Email: "a@x.th", Proof: "k1.dGhlIHByb29m"},
		Reply:   restapi.RegisterReply{Results: "registered", StudentID: 69000001},
	}, g.register)

	registered := time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)
	rest.Get(g.api, rest.Operation{
		Path:        restapi.PathProgress,
		Name:        "progress",
		Summary:     "How far a registration has come",
		Description: "The time of each step, or null while it is to be done.",
		Scope:       rest.ScopeRegister,
		Parameters: []*huma.Param{{
			Name: "studentID", In: "path", Required: true,
			Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64"}, Example: 69000001,
		}},
		Reasons: []string{rest.NoSuchStudent},
		Reply:   restapi.ProgressReply{StudentID: 69000001, Registered: &registered},
	}, g.progress)
}
