package otpgateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/restapi"
	"matriq/pkg/rest"
	"matriq/pkg/rpc"
)

// castPatience bounds both attempts to hand a code to the mail worker.
const castPatience = 5 * time.Second

// getOTP handles POST /getotp.
func (g *Gateway) getOTP(r *http.Request, req restapi.GetOTPRequest) (restapi.GetOTPReply, error) {
	keyed, err := rest.WithOneKey(r)
	if err != nil {
		return restapi.GetOTPReply{}, err
	}
	created, err := otpapi.Create.Call(keyed, g.bus, otpapi.EmailRequest{Email: req.Email}) //nolint:contextcheck // it is r's, with a key
	if err != nil {
		return restapi.GetOTPReply{}, err
	}
	if !created.Eligible {
		return restapi.GetOTPReply{Results: "0"}, nil
	}
	if err := g.mail(r.Context(), req.Email, created.Code); err != nil {
		return restapi.GetOTPReply{}, notMailed(err, created.Code)
	}
	return restapi.GetOTPReply{
		Results:     "1",
		Ref:         created.Code.Ref,
		ExpiresIn:   created.Code.ExpiresIn,
		ResendAfter: created.Code.ResendAfter,
	}, nil
}

// mail hands a code to the mail worker. A cast that failed may have been stored,
// and a repeated request has handed over the same code before, so the key is the
// code's own.
func (g *Gateway) mail(ctx context.Context, email string, code otpapi.SealedCode) error {
	deadline := time.Now().Add(time.Duration(code.ExpiresIn) * time.Second)
	ctx, cancel := context.WithTimeout(rpc.WithKey(ctx, cmp.Or(code.ID, rand.Text())), castPatience)
	defer cancel()
	args := emailapi.SendCodeArgs{OTP: code, Email: email}
	first := emailapi.SendCode.SendBefore(ctx, g.bus, args, deadline)
	if first == nil {
		return nil
	}
	if again := emailapi.SendCode.SendBefore(ctx, g.bus, args, deadline); again != nil {
		return fmt.Errorf("cast %s: %w", emailapi.SendCode.Name(), errors.Join(first, again))
	}
	return nil
}

// notMailed tells the client to ask again once that is allowed. The code is not
// withdrawn: the cast may have been stored after all, and then the mail must
// hold a code that works. If it was not, nobody knows the code, and the next one
// takes its place.
func notMailed(err error, code otpapi.SealedCode) error {
	return rpc.Errorf(rpc.Unavailable, "the code could not be mailed: %w", err).After(time.Duration(code.ResendAfter) * time.Second)
}

// authen handles POST /authen.
func (g *Gateway) authen(r *http.Request, req restapi.AuthenRequest) (restapi.AuthenReply, error) {
	keyed, err := rest.WithOneKey(r)
	if err != nil {
		return restapi.AuthenReply{}, err
	}
	proved, err := otpapi.Prove.Call(keyed, g.bus, otpapi.AuthenRequest{Email: req.Email, OTP: req.OTP}) //nolint:contextcheck // it is r's, with a key
	if err != nil {
		return restapi.AuthenReply{}, err
	}
	if proved.Results == 1 {
		return restapi.AuthenReply{Results: 1, Proof: proved.Proof}, nil
	}
	status, err := otpapi.Status.Call(r.Context(), g.bus, otpapi.EmailRequest{Email: req.Email})
	if err != nil {
		// The verdict stands without the count of what is left.
		g.log.WarnContext(r.Context(), "attempts left are unknown", slog.Any("error", err))
		return restapi.AuthenReply{}, nil
	}
	return restapi.AuthenReply{AttemptsLeft: &status.AttemptsLeft}, nil
}
