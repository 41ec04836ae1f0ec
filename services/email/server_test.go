package email_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/services/email"
)

func listenTLS(t *testing.T, o mailsink.Options) (net.Listener, error) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*o.Certificate}, MinVersion: tls.VersionTLS12}), nil
}

func TestNewSMTP_refuses(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"no scheme":         "mail:25",
		"other scheme":      "http://u:hunter2@mail",
		"no host":           "smtp://:25",
		"path":              "smtp://mail/x",
		"escape":            "smtp://u:hunter2%zz@mail",
		"tls":               "smtp://u:hunter2@mail?tls=maybe",
		"parameter":         "smtp://u:hunter2@mail?insecure=1",
		"port":              "smtp://u:hunter2@mail:70000",
		"password in clear": "smtp://u:hunter2@mail?tls=none",
		"no ca":             "smtp://u:hunter2@mail?ca=/does/not/exist",
		"empty ca":          "smtp://u:hunter2@mail?ca=" + empty,
	} {
		cfg := config("")
		cfg.URL = raw
		_, err := email.NewSMTP(cfg)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error without the password", name, err)
		}
	}
	for name, raw := range map[string]string{
		"defaults":  "smtp://u:p@mail",
		"relay":     "smtp://mail:25?tls=none",
		"ipv6":      "smtp://[::1]:2525/?tls=none",
		"loopback":  "smtp://u:p@127.0.0.1:2525?tls=none",
		"localhost": "smtp://u:p@localhost?tls=none",
		"implicit":  "smtp://u:p@mail?tls=implicit",
	} {
		cfg := config("")
		cfg.URL = raw
		if _, err := email.NewSMTP(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
