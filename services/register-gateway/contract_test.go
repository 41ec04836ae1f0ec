package registergateway_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/studentapi"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/service"
	registergateway "matriq/services/register-gateway"
)

// Through the broker, student gets the names, the address, the client's key and
// who asked.
func TestContract_Register(t *testing.T) {
	t.Parallel()
	type insertion struct {
		req  studentapi.InsertRequest
		key  string
		meta rpc.Meta
	}
	insertions := make(chan insertion, 1)
	conn := rpctest.Loopback(t,
		otpapi.Status.Handle(func(_ context.Context, req otpapi.EmailRequest) (otpapi.StatusReply, error) {
			return otpapi.StatusReply{Verified: req.Email == "a@x.th"}, nil
		}),
		studentapi.Insert.Handle(func(ctx context.Context, req studentapi.InsertRequest) (int64, error) {
			insertions <- insertion{req, rpc.KeyFrom(ctx), rpc.MetaFrom(ctx)}
			return 69000001, nil
		}),
	)
	env := service.NewEnv("register-gateway", map[string]string{
		"AMQP_URL": "amqp://127.0.0.1", "API_CLIENTS": apiClients,
	}, slog.New(slog.DiscardHandler))
	cfg, err := registergateway.ReadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := registergateway.New(conn, cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{Handler: gateway.Handler()}

	other := request(t, http.MethodPost, "/register", `{"firstname":"a","lastname":"b","email":"b@x.th"}`)
	resttest.WantProblem(t, d.answer(other), http.StatusForbidden, "not_verified")
	r := request(t, http.MethodPost, "/register", goodBody)
	r.Header.Set("Idempotency-Key", "k1")
	r.Header.Set("Accept-Language", "th")
	w := d.answer(r)
	resttest.WantBody(t, w, `{"results":"registered","studentID":69000001}`)
	got := <-insertions
	if want := (studentapi.InsertRequest{Firstname: "มานะ", Lastname: "Jaidee", Email: "a@x.th"}); got.req != want || got.key != "ui/k1" {
		t.Errorf("student.insert got %+v under %q", got.req, got.key)
	}
	if want := (rpc.Meta{Language: "th", RequestID: w.Header().Get("X-Request-Id"), ClientIP: "192.0.2.1"}); got.meta != want {
		t.Errorf("meta = %+v, want %+v", got.meta, want)
	}
}
