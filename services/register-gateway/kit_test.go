package registergateway_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"matriq/pkg/rest/resttest"
	"matriq/pkg/service"
	registergateway "matriq/services/register-gateway"
)

// desk is a gateway on a bus.
type desk struct {
	http.Handler
	bus *resttest.Bus
	log *bytes.Buffer
}

const apiClients = "ui:correct horse battery:otp+register,school:another long password:register,loader:load my list please:import"

func newDesk(t *testing.T, answer resttest.Answers) *desk {
	t.Helper()
	return newDeskWith(t, "", answer)
}

// newDeskWith is newDesk with a key of proofs.
func newDeskWith(t *testing.T, proofKey string, answer resttest.Answers) *desk {
	t.Helper()
	vars := map[string]string{"AMQP_URL": "amqp://127.0.0.1", "API_CLIENTS": apiClients, "OTP_PROOF_KEY": proofKey}
	d := &desk{bus: resttest.NewBus(answer), log: new(bytes.Buffer)}
	env := service.NewEnv("register-gateway", vars, slog.New(slog.NewJSONHandler(d.log, nil)))
	cfg, err := registergateway.ReadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := registergateway.New(d.bus, cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	d.Handler = gateway.Handler()
	return d
}

const (
	jsonType = "application/json"
	goodBody = `{"firstname":"มานะ","lastname":"Jaidee","email":"a@x.th"}`
)

func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	r.SetBasicAuth("ui", "correct horse battery")
	return r
}

func (d *desk) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}
