package ui_test

import (
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/service"
	"matriq/services/ui"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"REDIS_URL": "redis://127.0.0.1", "OTP_URL": "http://ui:secret-words@otp:7002", "REGISTER_URL": "http://ui:secret-words@reg:7001",
	}
	for name, c := range map[string]struct {
		vars map[string]string
		want []string // settings named in the error; none: it is fine
	}{
		"defaults":            {nil, nil},
		"https":               {map[string]string{"PUBLIC_ORIGIN": "https://register.example.ac.th"}, nil},
		"https with a slash":  {map[string]string{"PUBLIC_ORIGIN": "https://register.example.ac.th/"}, nil},
		"loopback":            {map[string]string{"PUBLIC_ORIGIN": "http://[::1]:8080"}, nil},
		"plain http":          {map[string]string{"PUBLIC_ORIGIN": "http://register.example.ac.th"}, []string{"PUBLIC_ORIGIN", "ALLOW_PLAIN_HTTP"}},
		"plain http, allowed": {map[string]string{"PUBLIC_ORIGIN": "http://10.0.0.5", "ALLOW_PLAIN_HTTP": "true"}, nil},
		"looks like loopback": {map[string]string{"PUBLIC_ORIGIN": "http://localhost.evil.example"}, []string{"PUBLIC_ORIGIN"}},
		"origin with a path":  {map[string]string{"PUBLIC_ORIGIN": "https://example.ac.th/register"}, []string{"PUBLIC_ORIGIN"}},
		"origin of a file":    {map[string]string{"PUBLIC_ORIGIN": "file:///etc"}, []string{"PUBLIC_ORIGIN"}},
		"no credential":       {map[string]string{"OTP_URL": "http://otp:7002", "REGISTER_URL": "reg"}, []string{"OTP_URL", "REGISTER_URL"}},
		"nothing":             {map[string]string{"REDIS_URL": "", "OTP_URL": "", "REGISTER_URL": ""}, []string{"REDIS_URL", "OTP_URL", "REGISTER_URL"}},
		"idle over lifetime":  {map[string]string{"SESSION_IDLE": "2h"}, []string{"SESSION_IDLE"}},
		"no time for gateway": {map[string]string{"GATEWAY_TIMEOUT": "0s"}, []string{"GATEWAY_TIMEOUT"}},
		"proxies":             {map[string]string{"TRUSTED_PROXIES": "10.0.0.0/99"}, []string{"TRUSTED_PROXIES"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := maps.Clone(good)
			maps.Copy(vars, c.vars)
			_, err := ui.ReadConfig(service.NewEnv("ui", vars, slog.New(slog.DiscardHandler)))
			if (err != nil) != (len(c.want) > 0) {
				t.Fatalf("err = %v, want faults of %v", err, c.want)
			}
			for _, setting := range c.want {
				if !strings.Contains(err.Error(), setting) {
					t.Errorf("%q does not name %s", err, setting)
				}
			}
			if err != nil && strings.Contains(err.Error(), "secret-words") {
				t.Errorf("%q holds a phrase", err)
			}
		})
	}
}

// Sessions need one master; a cluster is refused at the start, not at the first
// person.
func TestNewRefusesACluster(t *testing.T) {
	t.Parallel()
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	defer cluster.Close()
	env := service.NewEnv("ui", nil, slog.New(slog.DiscardHandler))
	if _, err := ui.New(cluster, nil, ui.Config{}, env); err == nil {
		t.Error("New took a cluster")
	}
}
