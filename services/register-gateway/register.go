package registergateway

import (
	"net/http"
	"strconv"

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
	status, err := otpapi.Status.Call(r.Context(), g.bus, otpapi.EmailRequest{Email: req.Email})
	if err != nil {
		return restapi.RegisterReply{}, err
	}
	if !status.Verified {
		return restapi.RegisterReply{}, rest.Refuse(rest.NotVerified, "Prove the address by /authen first.")
	}
	if status.Email != "" {
		req.Email = status.Email // mail goes to the address as listed, never as typed
	}
	id, err := studentapi.Insert.Call(keyed, g.bus, studentapi.InsertRequest(req))
	if err != nil {
		return restapi.RegisterReply{}, err
	}
	return restapi.RegisterReply{Results: "registered", StudentID: id}, nil
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
