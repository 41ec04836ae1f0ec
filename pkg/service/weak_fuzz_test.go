package service_test

import (
	"errors"
	"strings"
	"testing"

	"matriq/pkg/service"
)

// FuzzWeakURL: whatever a setting holds, what is said of it names the setting and
// repeats no password, and a URL to another machine without one is never good.
func FuzzWeakURL(f *testing.F) {
	for _, seed := range []string{
		"", "://", "amqp://guest:guest@rabbitmq:5672/", "amqp://127.0.0.1", "redis://:devops101@redis:6379/0", "redis+sentinel://a:b@c:1,d:2/mymaster",
		"smtp://mail:587?tls=starttls", "amqp://a:%zz@b/", "amqp://a@b@c/", "redis://[::1]:6379", "redis://[::1", "amqp://a:b@localhost,evil.example/",
		"amqp://a:b@127.0.0.1.evil.example/", "http://a:b\x00@c/", "x://@", "x://:@,", "x://a:b@",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		faults := service.WeakURL("AMQP_URL", raw)
		for _, err := range faults {
			fault, ok := errors.AsType[service.Fault](err)
			if !ok || fault.Setting != "AMQP_URL" || fault.Cure == "" {
				t.Errorf("WeakURL(%q) = %v", raw, err)
			}
			_, after, _ := strings.Cut(raw, "://")
			if _, password, _ := strings.Cut(strings.SplitN(after, "@", 2)[0], ":"); len(password) > 20 && strings.Contains(err.Error(), password) {
				t.Errorf("WeakURL(%q) = %v, which repeats the password", raw, err)
			}
		}
		if bare := "amqp://" + onlyLetters(raw) + ".example/"; len(service.WeakURL("AMQP_URL", bare)) == 0 && bare != "amqp://.example/" {
			t.Errorf("WeakURL(%q) finds nothing wrong", bare)
		}
	})
}

func onlyLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, s)
}
