package otpgateway

import (
	"github.com/danielgtaylor/huma/v2"

	"matriq/pkg/api/restapi"
	"matriq/pkg/rest"
)

const (
	mediaJSON = "application/json"
	mediaCSV  = "text/csv"
)

// routes is the whole surface.
func (g *Gateway) routes() {
	rest.Upload(g.api, rest.Operation{
		Path:    restapi.PathImport,
		Name:    "create_email_list",
		Summary: "List addresses as eligible",
		Description: "A list in JSON, or a CSV file with one address a line or a column named `email`, `e-mail` or `อีเมล`. " +
			"A bad row is reported and never stops the good ones. Repeating an import adds nothing. " +
			"When it fails, the problem reports what had been done.",
		Scope:   rest.ScopeImport,
		Reasons: []string{rest.NoEmailColumn, rest.TooManyRejected},
		Reply: restapi.ImportReply{Results: 1, Added: 1, Rejected: []restapi.Rejected{
			{Row: 2, Value: "b@", Reason: rest.BadEmail},
		}},
	}, g.cfg.MaxImport, []rest.Format{
		{MediaType: mediaJSON, Schema: rest.SchemaOf[restapi.ImportRequest](g.api), Example: restapi.ImportRequest{Emails: []string{"a@x.th", "b@"}}},
		{MediaType: mediaCSV, Schema: &huma.Schema{Type: huma.TypeString}, Example: "email\na@x.th\n"},
	}, g.importList)

	rest.Post(g.api, rest.Operation{
		Path:    restapi.PathGetOTP,
		Name:    "getotp",
		Summary: "Mail a code to an address",
		Description: "The answer is the same whether the address is listed or not, unless the operator chose to disclose it: then it is `\"0\"`. " +
			"Repeated under its `Idempotency-Key` while its code is out, a request mails no other code and counts once.",
		Scope:      rest.ScopeOTP,
		Parameters: []*huma.Param{rest.IdempotencyKeyParam()},
		Reasons:    []string{rest.BadEmail, rest.ResendTooSoon, rest.AddressLimit, rest.AddressLocked, rest.SourceLimit, rest.BadIdempotencyKey},
		Gate:       g.gate,
		Request:    restapi.GetOTPRequest{Email: "a@x.th"},
		Reply:      restapi.GetOTPReply{Results: "1", Ref: "KTM", ExpiresIn: 600, ResendAfter: 60},
	}, g.getOTP)

	rest.Post(g.api, rest.Operation{
		Path:    restapi.PathAuthen,
		Name:    "authen",
		Summary: "Prove an address with its code",
		Description: "Results 1 spends the code and lets the address register for 15 minutes. It comes with a proof, if proofs are made here: `/register` takes it, and is quicker with it. Wrong, spent, expired and never issued look alike. " +
			"The same guess repeated under its `Idempotency-Key`, with no other in between, gets the same results and counts once.",
		Scope:      rest.ScopeOTP,
		Parameters: []*huma.Param{rest.IdempotencyKeyParam()},
		Reasons:    []string{rest.BadEmail, rest.BadOTP, rest.SourceLimit, rest.BadIdempotencyKey},
		Gate:       g.gate,
		GoOn:       true,
		Request:    restapi.AuthenRequest{Email: "a@x.th", OTP: "123456"},
		Reply:      restapi.AuthenReply{Results: 1, Proof: "k1.dGhlIHByb29m"},
	}, g.authen)
}
