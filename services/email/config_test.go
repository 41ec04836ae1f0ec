package email_test

import (
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/service"
	"matriq/services/email"
)

// settings are enough to start a worker of the lane.
func settings(lane string) map[string]string {
	return map[string]string{
		"AMQP_URL": "amqp://email:secret-words@x", "REDIS_URL": "redis://:secret-words@x", "SMTP_URL": "smtp://mail:25?tls=none",
		"MAIL_FROM": "Matriq <no-reply@matriq.example>", "EMAIL_LANE": lane,
	}
}

func read(t *testing.T, vars map[string]string) (email.Config, error) {
	t.Helper()
	return email.ReadConfig(service.NewEnv("email", vars, slog.New(slog.DiscardHandler)))
}

func TestReadConfig_defaults(t *testing.T) {
	t.Parallel()
	cfg, err := read(t, settings("confirm"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.LogTTL != 720*time.Hour || cfg.Language != "th" || cfg.Timeout != 20*time.Second || cfg.Connections != 16 || cfg.Idle != 30*time.Second {
		t.Errorf("%+v", cfg)
	}
	o := cfg.RPC(service.NewEnv("email", nil, slog.New(slog.DiscardHandler)))
	if o.Prefetch != 32 || o.Service != "email" {
		t.Errorf("%+v", o)
	}
}

func TestReadConfig_sealKey(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"otp", "all", "confirm"} {
		_, err := read(t, settings(lane))
		if needed := lane != "confirm"; (err != nil) != needed || needed && !strings.Contains(err.Error(), "OTP_SEAL_KEY") {
			t.Errorf("lane %s without a key: %v", lane, err)
		}
	}
	vars := settings("otp")
	vars["OTP_SEAL_KEY"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	if _, err := read(t, vars); err == nil || strings.Contains(err.Error(), "AAAA") {
		t.Errorf("a key of zeros: %v", err)
	}
}

// All faults are reported at once.
func TestReadConfig_faults(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"EMAIL_LANE": "letters", "SMTP_URL": "smtp://u:hunter2@mail?tls=none", "MAIL_FROM": "nobody",
		"MAIL_LANGUAGE_DEFAULT": "fr", "MAIL_TIMEOUT": "1ms", "MAIL_LOG_TTL": "1s",
		"SMTP_CONNECTIONS": "0", "SMTP_IDLE": "0s",
	}
	vars := settings("confirm")
	maps.Copy(vars, bad)
	delete(vars, "AMQP_URL")
	_, err := read(t, vars)
	if err == nil {
		t.Fatal("no fault was found")
	}
	for name := range bad {
		if !strings.Contains(err.Error(), name+" ") {
			t.Errorf("%s is not reported", name)
		}
	}
	if !strings.Contains(err.Error(), "AMQP_URL") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestReadConfig_from(t *testing.T) {
	t.Parallel()
	for from, good := range map[string]bool{
		"no-reply@x.th": true, "<no-reply@x.th>": true, "ลงทะเบียน <no-reply@x.th>": true,
		"a@x.th, b@x.th": false, "a@localhost": false, "=?utf-8?q?a=0Ab?= <a@x.th>": false,
	} {
		vars := settings("confirm")
		vars["MAIL_FROM"] = from
		if _, err := read(t, vars); (err == nil) != good {
			t.Errorf("%q: %v", from, err)
		}
	}
}

// A worker serves the casts of its lane alone.
func TestService_Routes(t *testing.T) {
	t.Parallel()
	for lane, want := range map[email.Lane]string{
		email.LaneCodes: "email_otp.send", email.LaneConfirmations: "email.send", email.LaneAll: "email_otp.send email.send",
	} {
		r := newRig(t)
		r.cfg.Lane = lane
		svc, err := email.New(newSMTP(t, r.cfg), r.newLog(), r.cfg.Rules, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, route := range svc.Routes(r.client) {
			got = append(got, route.Target)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("lane %s serves %v", lane, got)
		}
	}
}
