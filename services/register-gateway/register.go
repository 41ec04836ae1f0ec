package registergateway

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"matriq/pkg/address"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/restapi"
	"matriq/pkg/api/studentapi"
	"matriq/pkg/rest"
)

// register handles POST /register.
func (g *Gateway) register(r *http.Request, req restapi.RegisterRequest) (restapi.RegisterReply, error) {
	keyed, err := rest.WithIdempotencyKey(r)
	if err != nil {
		return restapi.RegisterReply{}, err
	}
	mailbox, err := g.proved(r.Context(), req)
	if err != nil {
		return restapi.RegisterReply{}, err
	}
	// What names a repeat under its key is the names and the mailbox: the proof is
	// left out, so that it may differ.
	id, err := studentapi.Insert.Call(keyed, g.bus, studentapi.InsertRequest{ //nolint:contextcheck // it is r's, with a key
		Firstname: req.Firstname, Lastname: req.Lastname, Email: mailbox,
	})
	if err != nil {
		return restapi.RegisterReply{}, err
	}
	return restapi.RegisterReply{Results: "registered", StudentID: id}, nil
}

// proved returns where mail to the address of req goes, as it is listed and not as
// it was typed, or refuses an address that has not just proved itself. Only a
// proof that counts is looked at; with any other, otp is asked as with none.
func (g *Gateway) proved(ctx context.Context, req restapi.RegisterRequest) (string, error) {
	if mailbox, ok := g.byProof(req); ok {
		return mailbox, nil
	}
	status, err := otpapi.Status.Call(ctx, g.bus, otpapi.EmailRequest{Email: req.Email})
	if err != nil {
		return "", err
	}
	if !status.Verified {
		return "", rest.Refuse(rest.NotVerified, "Prove the address by /authen first.")
	}
	return cmp.Or(status.Email, req.Email), nil
}

func (g *Gateway) byProof(req restapi.RegisterRequest) (mailbox string, ok bool) {
	who, err := address.Canonical(req.Email)
	if err != nil {
		return "", false
	}
	mailbox, err = g.proofs.Check(req.Proof, who, time.Now())
	return mailbox, err == nil
}

// progress handles GET /register/{studentID}.
func (g *Gateway) progress(r *http.Request) (restapi.ProgressReply, error) {
	id, err := strconv.ParseInt(r.PathValue("studentID"), 10, 64)
	if err != nil {
		// What is no number is the ID of nobody.
		return restapi.ProgressReply{}, rest.Refuse(rest.NoSuchStudent, "A student ID is a number.")
	}
	status, err := studentapi.Status.Call(r.Context(), g.bus, studentapi.StatusRequest{StudentID: id})
	return restapi.ProgressReply(status), err
}
