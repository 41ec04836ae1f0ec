package otpgateway_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/api/restapi"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/service"
	otpgateway "matriq/services/otp-gateway"
)

// desk is a gateway on a bus.
type desk struct {
	http.Handler
	bus     *resttest.Bus
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

const apiClients = "ui:correct horse battery:otp,loader:load my list please:import"

func newDesk(t *testing.T, answer resttest.Answers, settings ...string) *desk {
	t.Helper()
	vars := map[string]string{"AMQP_URL": "amqp://127.0.0.1", "API_CLIENTS": apiClients}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		vars[name] = value
	}
	d := &desk{bus: resttest.NewBus(answer), log: new(bytes.Buffer)}
	env := service.NewEnv("otp-gateway", vars, slog.New(slog.NewJSONHandler(d.log, nil)))
	cfg, err := otpgateway.ReadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	d.metrics = env.Metrics
	d.Handler = otpgateway.New(d.bus, cfg, env).Handler()
	return d
}

func (d *desk) post(t *testing.T, path, contentType, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.SetBasicAuth("ui", "correct horse battery")
	if strings.HasPrefix(path, restapi.PathImport) {
		r.SetBasicAuth("loader", "load my list please")
	}
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}
