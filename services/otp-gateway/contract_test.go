package otpgateway_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/service"
	otpgateway "matriq/services/otp-gateway"
)

// Through the broker, the mail worker gets what otp made, for the person who
// asked, before the code dies.
func TestContract_GetOTP(t *testing.T) {
	t.Parallel()
	type order struct {
		args     emailapi.SendCodeArgs
		meta     rpc.Meta
		deadline time.Time
	}
	orders := make(chan order, 1)
	conn := rpctest.Loopback(t,
		otpapi.Create.Handle(func(_ context.Context, req otpapi.EmailRequest) (otpapi.CreateReply, error) {
			if !strings.HasSuffix(req.Email, "@x.th") {
				return otpapi.CreateReply{}, rpc.Errorf(rpc.InvalidArgument, "the address is malformed").Because("bad_email")
			}
			return otpapi.CreateReply{Eligible: true, Code: code}, nil
		}),
		emailapi.SendCode.Handle(func(ctx context.Context, args emailapi.SendCodeArgs) error {
			deadline, _ := ctx.Deadline()
			orders <- order{args, rpc.MetaFrom(ctx), deadline}
			return nil
		}),
	)
	env := service.NewEnv("otp-gateway", map[string]string{
		"AMQP_URL": "amqp://127.0.0.1", "API_CLIENTS": apiClients,
	}, slog.New(slog.DiscardHandler))
	cfg, err := otpgateway.ReadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{Handler: otpgateway.New(conn, cfg, env).Handler()}

	resttest.WantProblem(t, d.post(t, "/getotp", jsonType, `{"email":"nobody"}`), 422, "bad_email")
	w := d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
	resttest.WantBody(t, w, `{"results":"1","ref":"KTM","expires_in":600,"resend_after":60}`)
	got := <-orders
	if got.args.OTP != code || got.args.Email != "a@x.th" {
		t.Errorf("order = %+v", got.args)
	}
	if want := (rpc.Meta{Language: "en", RequestID: w.Header().Get("X-Request-Id"), ClientIP: "192.0.2.1"}); got.meta != want {
		t.Errorf("meta = %+v, want %+v", got.meta, want)
	}
	if left := time.Until(got.deadline); left <= 0 || left > 10*time.Minute {
		t.Errorf("the worker has %v, want what is left of 10m", left)
	}
}
