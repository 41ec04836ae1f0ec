package service_test

import (
	"errors"
	"strings"
	"testing"

	"matriq/pkg/service"
)

// A password that everybody knows is refused where somebody else can reach the
// server, and the fault names the setting and not the password.
func TestWeakURL(t *testing.T) {
	t.Parallel()
	for raw, problem := range map[string]string{
		"amqp://guest:guest@mq:5672/":                        "is a known default",
		"amqp://otp:devops101@mq/":                           "is a known default",
		"amqp://otp:DevOps101@mq/":                           "is a known default",
		"amqp://otp-worker:otp-worker@mq":                    "is a known default",
		"amqp://otp-worker:OTP-Worker@mq":                    "is a known default",
		"amqp://mq":                                          "is empty",
		"amqp://otp@mq":                                      "is empty",
		"amqp://otp:@mq":                                     "is empty",
		"amqp://otp:k3y-wrd@mq":                              "is shorter than 8 characters",
		"redis://redis":                                      "is empty",
		"redis://:changeme@redis:6379/0":                     "is a known default",
		"redis+sentinel://:guest@a:26379,b:26379/main/0":     "is a known default",
		"redis+sentinel://:guest@127.0.0.1:1,redis-2:2/main": "is a known default",
		"http://ui:p%61ssword@otp-gateway:7002":              "is a known default",
		"redis://:changeme@localhost.example.com":            "is a known default",
		"redis://:changeme@127.0.0.1.example.com":            "is a known default",
		"amqp://otp:guest@[fd00::1]:5672/":                   "is a known default",
		"amqp://otp:guest@10.0.0.7/127.0.0.1":                "is a known default",
		"amqp://otp:guest@mq?host=127.0.0.1":                 "is a known default",
		"amqp://127.0.0.1:guest@mq/":                         "is a known default",
		"amqp://otp:correct-horse@mq:5672/":                  "",
		"redis+sentinel://:correct-horse@a:26379,b:26379/m":  "",
		"amqp://guest:guest@127.0.0.1:5672/":                 "",
		"amqp://localhost":                                   "",
		"redis://[::1]:6379":                                 "",
		"redis+sentinel://127.0.0.1:1,[::1]:2/main":          "",
		"no URL": "",
		"":       "",
	} {
		faults := service.WeakURL("SOME_URL", raw)
		if problem == "" {
			if faults != nil {
				t.Errorf("%s: %v, want none", raw, faults)
			}
			continue
		}
		fault, ok := errors.AsType[service.Fault](errors.Join(faults...))
		if !ok || fault.Setting != "SOME_URL" || fault.Problem != "has a password that "+problem {
			t.Errorf("%s: %v, want: %s", raw, faults, problem)
		}
		for _, secret := range []string{"devops101", "otp-worker", "k3y-wrd", "changeme"} {
			if strings.Contains(fault.Error(), secret) {
				t.Errorf("%s: the fault tells the password: %v", raw, fault)
			}
		}
	}
}
