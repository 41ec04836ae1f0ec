package security_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
)

// secretsOf are the settings of each program that hold a secret, with one that
// is accepted on any host.
func secretsOf() map[string]map[string]string {
	const (
		amqp  = "amqp://worker:correct-horse-battery@rabbitmq.invalid:5672/"
		redis = "redis://worker:correct-horse-battery@redis.invalid:6379/0"
		dsn   = "worker:correct-horse-battery@tcp(mariadb.invalid:3306)/matriq"
		smtp  = "smtp://worker:correct-horse-battery@mail.invalid:587"
		rest  = "http://ui:correct-horse-battery@gateway.invalid:7000"
	)
	clients := "ui:correct-horse-battery:otp+register"
	return map[string]map[string]string{
		"ui":               {"REDIS_URL": redis, "OTP_URL": rest, "REGISTER_URL": rest},
		"otp-gateway":      {"AMQP_URL": amqp, "API_CLIENTS": clients},
		"register-gateway": {"AMQP_URL": amqp, "API_CLIENTS": clients, "OTP_PROOF_KEY": harness.RandomKey()},
		"otp": {
			"AMQP_URL": amqp, "REDIS_URL": redis,
			"OTP_PEPPER": harness.RandomKey(), "OTP_SEAL_KEY": harness.RandomKey(), "OTP_PROOF_KEY": harness.RandomKey(),
		},
		"email":   {"AMQP_URL": amqp, "REDIS_URL": redis, "OTP_SEAL_KEY": harness.RandomKey(), "SMTP_URL": smtp},
		"student": {"AMQP_URL": amqp, "MYSQL_DSN": dsn},
		"enroll":  {"AMQP_URL": amqp, "MYSQL_DSN": dsn},
	}
}

// badSecrets are values that nobody may run on.
func badSecrets(setting, good string) map[string]string {
	zeros := strings.Repeat("A", 43) + "=" // 32 zero bytes
	switch setting {
	case "OTP_PEPPER", "OTP_SEAL_KEY":
		return map[string]string{"missing": "", "zeros": zeros, "short": "c2hvcnQ=", "words": "devops101", "two alike": "1:" + zeros + ",2:" + zeros}
	case "OTP_PROOF_KEY": // without one there are no proofs
		return map[string]string{"zeros": zeros, "short": "c2hvcnQ=", "words": "devops101", "two alike": "1:" + zeros + ",2:" + zeros}
	case "API_CLIENTS":
		return map[string]string{
			"missing": "", "guest": "ui:guest:otp", "published": "ui:devops101:otp", "demo": "demo:demo:otp",
			"empty": "ui::otp", "short": "ui:hunter2:otp", "name": "gateway-client:gateway-client:otp",
		}
	}
	with := func(password string) string { return strings.Replace(good, "correct-horse-battery", password, 1) }
	return map[string]string{
		"missing": "", "guest": with("guest"), "published": with("devops101"), "empty": with(""),
		"short": with("hunter2"), "name": strings.NewReplacer("worker:correct-horse-battery", "worker-login:worker-login", "ui:correct-horse-battery", "ui-client:ui-client").Replace(good),
	}
}

// Threat: a system goes to production with the password of a tutorial, or with
// none. Promise: a service with a missing, weak or known default secret does not
// start, and says which setting it is and never its value.
func TestSecrets_RefuseToStart(t *testing.T) {
	t.Parallel()
	for service, secrets := range secretsOf() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			for setting, good := range secrets {
				for name, bad := range badSecrets(setting, good) {
					env := map[string]string{"MAIL_FROM": "a@example.ac.th", "PUBLIC_ORIGIN": "https://register.example.ac.th", setting: ""}
					maps.Copy(env, secrets)
					env[setting] = bad
					said, code := runOnce(t, service, env)
					if code != 2 || !strings.Contains(said, `"setting":"`+setting+`"`) {
						t.Errorf("%s %s (%s): exit code %d, want 2 and the setting named:\n%s", setting, name, bad, code, said)
					}
					if secret := passwordOf(bad); secret != "" && strings.Contains(said, secret) {
						t.Errorf("%s %s: the log tells the secret:\n%s", setting, name, said)
					}
				}
			}
		})
	}
}

// passwordOf is the part of a bad value that no log may have.
func passwordOf(bad string) string {
	for _, secret := range []string{"devops101", "hunter2", "gateway-client:gateway-client", "c2hvcnQ="} {
		if strings.Contains(bad, secret) {
			return secret
		}
	}
	return ""
}

// The same programs start with good secrets: what is refused above is refused for
// its secret.
func TestSecrets_GoodOnesStart(t *testing.T) {
	t.Parallel()
	for service, secrets := range secretsOf() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{
				"MAIL_FROM": "a@example.ac.th", "PUBLIC_ORIGIN": "https://register.example.ac.th",
				"HTTP_ADDR": freeAddr(t), "ADMIN_ADDR": freeAddr(t),
			}
			maps.Copy(env, secrets)
			p, err := harness.Launch(service, serviceBinary(t, service), t.TempDir()+"/log", env)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			eventually(t, service+" serves its health", 20*time.Second, func() bool {
				_, said := p.Ready(t.Context())
				return strings.Contains(said, "amqp") || strings.Contains(said, "redis")
			})
		})
	}
}
