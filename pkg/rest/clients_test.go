package rest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"matriq/pkg/rest"
	"matriq/pkg/service"
)

func TestClients_Authorize(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		user, password string
		status         int
		reason         string
	}{
		"right":                  {"ui", "correct horse battery", 200, ""},
		"password with colons":   {"clerk", "a:colon:in:it", 200, ""},
		"wrong password":         {"ui", "correct horse batter", 401, "unauthenticated"},
		"another's password":     {"ui", "load my list please", 401, "unauthenticated"},
		"no password":            {"ui", "", 401, "unauthenticated"},
		"name in another case":   {"UI", "correct horse battery", 401, "unauthenticated"},
		"unknown name":           {"root", "correct horse battery", 401, "unauthenticated"},
		"nobody":                 {"", "", 401, "unauthenticated"},
		"known, without a scope": {"loader", "load my list please", 403, "missing_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, r := newBench(t), request(t, http.MethodPost, "/echo", goodBody)
			r.SetBasicAuth(tc.user, tc.password)
			w := b.answer(r)
			if tc.status == http.StatusOK {
				if w.Code != http.StatusOK {
					t.Errorf("answer = %d %s, want 200", w.Code, w.Body)
				}
				return
			}
			wantProblem(t, w, tc.status, tc.reason)
			if b.calls.Load() != 0 {
				t.Error("the operation ran")
			}
			if got := w.Header().Get("WWW-Authenticate"); (tc.status == http.StatusUnauthorized) != strings.HasPrefix(got, "Basic realm=") {
				t.Errorf("WWW-Authenticate = %q in an answer %d", got, tc.status)
			}
		})
	}
}

func TestClients_AuthorizeWithoutBasic(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "Bearer x", "Basic", "Basic !!!", "Basic dWk="} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			b, r := newBench(t), request(t, http.MethodPost, "/echo", goodBody)
			r.Header.Set("Authorization", header)
			wantProblem(t, b.answer(r), http.StatusUnauthorized, "unauthenticated")
		})
	}
}

// gatewayConfig is a gateway's config as far as this package is concerned.
type gatewayConfig struct {
	HTTPAddr string `env:"HTTP_ADDR" envDefault:":7002"`
	REST     rest.Config
}

func (c gatewayConfig) Validate() []error { return c.REST.Faults(c.HTTPAddr) }

func read(vars map[string]string, cfg *gatewayConfig) error {
	return service.NewEnv("bench", vars, slog.New(slog.DiscardHandler)).Decode(cfg)
}

func TestClients_RefusesToStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ setting, want string }{
		"none":              {"", "API_CLIENTS is not set"},
		"nothing in it":     {" , \n", "API_CLIENTS"},
		"no password":       {"ui::otp", "entry 1 that is empty"},
		"guest":             {"ui:guest:otp", "is a known default"},
		"devops101":         {"ui:devops101:otp", "is a known default"},
		"in another case":   {"ui:DevOps101:otp", "is a known default"},
		"its own name":      {"registration-desk:registration-desk:otp", "is a known default"},
		"too short":         {"ui:correct-hor:otp", "is shorter than 12"},
		"only the second":   {"ui:correct horse battery:otp,b:guest:otp", "entry 2 that is a known default"},
		"no scope":          {"ui:correct horse battery", "entry 1: it is not name:password:scope"},
		"empty scope":       {"ui:correct horse battery:", "a scope is none of"},
		"unknown scope":     {"ui:correct horse battery:otp+admin", "a scope is none of"},
		"no name":           {":correct horse battery:otp", "it is not name:password:scope"},
		"an endless name":   {strings.Repeat("n", 65) + ":correct horse battery:otp", "its name is longer"},
		"the name twice":    {"ui:correct horse battery:otp,ui:another long one:import", "listed before"},
		"the demo's client": {"demo:demo:otp+register+import", "is a known default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cfg gatewayConfig
			err := read(map[string]string{"API_CLIENTS": tc.setting}, &cfg)
			if err == nil || !strings.Contains(err.Error(), "API_CLIENTS") || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error = %v, want one that has API_CLIENTS and %q", err, tc.want)
			}
			for _, secret := range []string{"correct horse", "another long"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells a password: %v", err)
				}
			}
		})
	}
}

func TestClients_StartsWithGoodOnes(t *testing.T) {
	t.Parallel()
	var cfg gatewayConfig
	err := read(map[string]string{"API_CLIENTS": "ui:correct horse battery:otp+register\nloader:load my list please:import\n"}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %s", cfg.REST.Clients, cfg.REST, cfg.REST.Clients); strings.Contains(text, "horse") {
		t.Errorf("a printed config tells a password: %s", text)
	}
}

// The demo's password never opens a port to the network.
func TestDemo_OnlyOnLoopback(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"127.0.0.1:7002": true, "[::1]:7002": true,
		":7002": false, "0.0.0.0:7002": false, "192.0.2.1:7002": false, "[::]:7002": false, "localhost:7002": false, "": false,
	} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			cfg := gatewayConfig{REST: rest.Config{Demo: true}}
			vars := map[string]string{"API_CLIENTS": "demo:demo:otp", "HTTP_ADDR": addr}
			if err := read(vars, &cfg); (err == nil) != ok {
				t.Errorf("a demo on %q: %v", addr, err)
			}
		})
	}
}

func TestDemo_AnswersOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *rest.Config) { cfg.Demo = true })
	if w := b.answer(arrivedOn(request(t, http.MethodPost, "/echo", goodBody), "127.0.0.1:7002")); w.Code != http.StatusOK {
		t.Errorf("on loopback: %d %s", w.Code, w.Body)
	}
	for _, addr := range []string{"192.0.2.1:7002", "[2001:db8::1]:7002", "@"} {
		wantProblem(t, b.answer(arrivedOn(request(t, http.MethodPost, "/echo", goodBody), addr)), http.StatusMisdirectedRequest, "misdirected")
	}
	wantProblem(t, b.answer(request(t, http.MethodPost, "/echo", goodBody)), http.StatusMisdirectedRequest, "misdirected")
	if b.calls.Load() != 1 {
		t.Errorf("the operation ran %d times, want once", b.calls.Load())
	}
}
