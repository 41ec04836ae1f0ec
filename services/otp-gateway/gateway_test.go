package otpgateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/service"
	otpgateway "matriq/services/otp-gateway"
)

func TestDescription(t *testing.T) {
	t.Parallel()
	resttest.Description(t, newDesk(t, nil), map[string]string{
		"/create_email_list": "post", "/getotp": "post", "/authen": "post",
	})
}

// Whatever is refused at the edge reaches no worker.
func TestRefusedBeforeAnyCall(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, contentType, body string
		status                  int
		reason                  string
	}{
		"otp as a number":      {"/authen", jsonType, `{"email":"a@x.th","otp":12345}`, 422, "wrong_type"},
		"otp missing":          {"/authen", jsonType, `{"email":"a@x.th"}`, 422, "missing_field"},
		"email in capitals":    {"/authen", jsonType, `{"EMAIL":"a@x.th","otp":"012345"}`, 422, "unknown_field"},
		"email twice":          {"/getotp", jsonType, `{"email":"a@x.th","email":"b@x.th"}`, 400, "duplicate_key"},
		"email null":           {"/getotp", jsonType, `{"email":null}`, 422, "wrong_type"},
		"more than asked":      {"/getotp", jsonType, `{"email":"a@x.th","otp":"1"}`, 422, "unknown_field"},
		"trailing":             {"/getotp", jsonType, `{"email":"a@x.th"} x`, 400, "bad_json"},
		"a form":               {"/getotp", "application/x-www-form-urlencoded", `email=a@x.th`, 415, "unsupported_media_type"},
		"CSV where there's no": {"/getotp", "text/csv", `a@x.th`, 415, "unsupported_media_type"},
		"too large":            {"/getotp", jsonType, `{"email":"` + strings.Repeat("a", 4096) + `"}`, 413, "body_too_large"},
		"a list as a form":     {"/create_email_list", "multipart/form-data; boundary=x", `--x--`, 415, "unsupported_media_type"},
		"a list of no emails":  {"/create_email_list", jsonType, `{}`, 422, "missing_field"},
		"a list by another key": {
			"/create_email_list", jsonType, `{"Emails":["a@x.th"]}`, 422, "unknown_field",
		},
		"a list that is none":    {"/create_email_list", jsonType, `{"emails":"a@x.th"}`, 422, "wrong_type"},
		"a list that is null":    {"/create_email_list", jsonType, `{"emails":null}`, 422, "wrong_type"},
		"a list without object":  {"/create_email_list", jsonType, `["a@x.th"]`, 422, "wrong_type"},
		"a list of no JSON":      {"/create_email_list", jsonType, `a@x.th`, 400, "bad_json"},
		"nothing":                {"/create_email_list", jsonType, ``, 400, "bad_json"},
		"columns, none of email": {"/create_email_list", "text/csv", "id,name\n1,a@x.th\n", 422, "no_email_column"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			resttest.WantProblem(t, d.post(t, tc.path, tc.contentType, tc.body), tc.status, tc.reason)
			if got := d.bus.Targets(); got != "" {
				t.Errorf("sent %s, want nothing", got)
			}
		})
	}
}

// Each call asks for its own scope.
func TestScopes(t *testing.T) {
	t.Parallel()
	for path, client := range map[string][2]string{
		"/getotp":            {"loader", "load my list please"},
		"/authen":            {"loader", "load my list please"},
		"/create_email_list": {"ui", "correct horse battery"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{}`))
			r.Header.Set("Content-Type", jsonType)
			r.SetBasicAuth(client[0], client[1])
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			resttest.WantProblem(t, w, http.StatusForbidden, "missing_scope")
		})
	}
}

func TestReadConfig_ReportsEverything(t *testing.T) {
	t.Parallel()
	env := service.NewEnv("otp-gateway", map[string]string{
		"API_CLIENTS": "ui:guest:otp", "MAX_IMPORT_BYTES": "0", "MAX_IMPORT_REJECTED": "-1", "MAX_BODY_BYTES": "many", "TRUSTED_PROXIES": "edge",
		"ADMISSION_FLOOR": "0",
	}, slog.New(slog.DiscardHandler))
	_, err := otpgateway.ReadConfig(env)
	if err == nil {
		t.Fatal("no error")
	}
	for _, setting := range []string{"AMQP_URL", "API_CLIENTS", "MAX_IMPORT_BYTES", "MAX_IMPORT_REJECTED", "MAX_BODY_BYTES", "TRUSTED_PROXIES", "ADMISSION_FLOOR"} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is not reported: %v", setting, err)
		}
	}
}

// The bodies of the published system's clients work as they are.
func TestPublishedClients(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{
		"otp.create_email_list": importAll, "otp.create": resttest.Fixed(map[string]any{"sealed": "x", "ref": "KTM", "expires_in": 600, "resend_after": 60}),
		"email_otp.send": resttest.Fixed(nil), "otp.prove": resttest.Fixed(otpapi.ProveReply{Results: 1}),
	})
	resttest.WantBody(t, d.post(t, "/create_email_list/", jsonType, `{"emails": ["a@x.th", "b@x.th"]}`), `{"results":2,"added":2,"present":0,"rejected":[]}`)
	resttest.WantBody(t, d.post(t, "/getotp/", jsonType, `{"email": "a@x.th"}`), `{"results":"1","ref":"KTM","expires_in":600,"resend_after":60}`)
	resttest.WantBody(t, d.post(t, "/authen/", jsonType, `{"email": "a@x.th", "otp": "123456"}`), `{"results":1}`)
}
