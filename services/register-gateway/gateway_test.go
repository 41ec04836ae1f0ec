package registergateway_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"matriq/pkg/keyring"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/service"
	registergateway "matriq/services/register-gateway"
)

func TestDescription(t *testing.T) {
	t.Parallel()
	resttest.Description(t, newDesk(t, nil), map[string]string{"/register": "post", "/register/{studentID}": "get"})
}

// Whatever is refused at the edge reaches no worker.
func TestRefusedBeforeAnyCall(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		reason             string
	}{
		"a name as a number":  {"POST", "/register", `{"firstname":1,"lastname":"b","email":"a@x.th"}`, 422, "wrong_type"},
		"a name that is null": {"POST", "/register", `{"firstname":null,"lastname":"b","email":"a@x.th"}`, 422, "wrong_type"},
		"a proof as a number": {"POST", "/register", `{"firstname":"a","lastname":"b","email":"a@x.th","proof":1}`, 422, "wrong_type"},
		"two proofs":          {"POST", "/register", `{"firstname":"a","lastname":"b","email":"a@x.th","proof":"","proof":""}`, 400, "duplicate_key"},
		"no last name":        {"POST", "/register", `{"firstname":"a","email":"a@x.th"}`, 422, "missing_field"},
		"in another case":     {"POST", "/register", `{"firstName":"a","lastname":"b","email":"a@x.th"}`, 422, "unknown_field"},
		"an ID of one's own":  {"POST", "/register", `{"firstname":"a","lastname":"b","email":"a@x.th","studentID":1}`, 422, "unknown_field"},
		"the address twice":   {"POST", "/register", `{"firstname":"a","lastname":"b","email":"a@x.th","email":"b@x.th"}`, 400, "duplicate_key"},
		"two bodies":          {"POST", "/register", goodBody + goodBody, 400, "bad_json"},
		"too large":           {"POST", "/register", `{"firstname":"` + strings.Repeat("a", 4096) + `"}`, 413, "body_too_large"},
		"a look":              {"GET", "/register", "", 405, "method_not_allowed"},
		"a removal":           {"DELETE", "/register/69000001", "", 405, "method_not_allowed"},
		"a change":            {"POST", "/register/69000001", goodBody, 405, "method_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			resttest.WantProblem(t, d.answer(request(t, tc.method, tc.path, tc.body)), tc.status, tc.reason)
			if got := d.bus.Targets(); got != "" {
				t.Errorf("sent %s, want nothing", got)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for path, method := range map[string]string{"/register": http.MethodPost, "/register/69000001": http.MethodGet} {
		d := newDesk(t, nil)
		r := request(t, method, path, goodBody)
		r.SetBasicAuth("loader", "load my list please")
		resttest.WantProblem(t, d.answer(r), http.StatusForbidden, "missing_scope")
		r.Header.Del("Authorization")
		w := d.answer(r)
		resttest.WantProblem(t, w, http.StatusUnauthorized, "unauthenticated")
		if w.Header().Get("WWW-Authenticate") == "" {
			t.Error("no WWW-Authenticate")
		}
		if got := d.bus.Targets(); got != "" {
			t.Errorf("sent %s, want nothing", got)
		}
	}
}

func TestReadConfig_ReportsEverything(t *testing.T) {
	t.Parallel()
	env := service.NewEnv("register-gateway", map[string]string{"API_CLIENTS": "ui:devops101:register", "OTP_PROOF_KEY": "devops101"}, slog.New(slog.DiscardHandler))
	_, err := registergateway.ReadConfig(env)
	for _, setting := range []string{"AMQP_URL", "API_CLIENTS", "OTP_PROOF_KEY"} {
		if err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("error = %v, want %s in it", err, setting)
		}
	}
	if _, err := registergateway.New(nil, registergateway.Config{ProofKey: "devops101"}, env); !errors.Is(err, keyring.ErrInvalid) {
		t.Errorf("New: %v, want ErrInvalid", err)
	}
}
