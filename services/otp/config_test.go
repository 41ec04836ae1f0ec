package otp_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"matriq/pkg/service"
	"matriq/services/otp"
)

func TestReadConfig_defaults(t *testing.T) {
	t.Parallel()
	got := rules(t)
	got.Pepper, got.SealKey, got.ProofKey = "", "", ""
	want := otp.Rules{
		Digits: 6, TTL: 10 * time.Minute, Attempts: 5, FailuresPerDay: 20,
		ResendAfter: time.Minute, PerHour: 5, PerDay: 10, VerifiedFor: 15 * time.Minute,
		SourceLimit: 30, SourceGuessLimit: 50, SourceWindow: 10 * time.Minute,
	}
	if got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
}

// A service without proper keys does not start, and says which setting to mend
// and how, but not what it was.
func TestReadConfig_refuses(t *testing.T) {
	t.Parallel()
	zeros := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		vars         map[string]string
		setting, say string
	}{
		"no broker":        {map[string]string{"AMQP_URL": ""}, "AMQP_URL", "is not set"},
		"no redis":         {map[string]string{"REDIS_URL": ""}, "REDIS_URL", "is not set"},
		"no pepper":        {map[string]string{"OTP_PEPPER": ""}, "OTP_PEPPER", "openssl rand -base64 32"},
		"no seal key":      {map[string]string{"OTP_SEAL_KEY": ""}, "OTP_SEAL_KEY", "openssl rand -base64 32"},
		"weak pepper":      {map[string]string{"OTP_PEPPER": zeros}, "OTP_PEPPER", "openssl rand -base64 32"},
		"weak seal key":    {map[string]string{"OTP_SEAL_KEY": "2:" + zeros}, "OTP_SEAL_KEY", "openssl rand -base64 32"},
		"a word":           {map[string]string{"OTP_PEPPER": "devops101"}, "OTP_PEPPER", "openssl rand -base64 32"},
		"weak proof key":   {map[string]string{"OTP_PROOF_KEY": zeros}, "OTP_PROOF_KEY", "openssl rand -base64 32"},
		"the pepper again": {map[string]string{"OTP_PEPPER": zeroless, "OTP_PROOF_KEY": zeroless}, "OTP_PROOF_KEY", "same as OTP_PEPPER"},
		"the seal again":   {map[string]string{"OTP_SEAL_KEY": zeroless, "OTP_PROOF_KEY": zeroless}, "OTP_PROOF_KEY", "same as OTP_SEAL_KEY"},
		"one key twice":    {map[string]string{"OTP_PEPPER": zeroless, "OTP_SEAL_KEY": zeroless}, "OTP_SEAL_KEY", "same as OTP_PEPPER"},
		"five digits":      {map[string]string{"OTP_DIGITS": "5"}, "OTP_DIGITS", "6 to 10"},
		"eleven digits":    {map[string]string{"OTP_DIGITS": "11"}, "OTP_DIGITS", "6 to 10"},
		"no digits":        {map[string]string{"OTP_DIGITS": "six"}, "OTP_DIGITS", "whole number"},
		"no life":          {map[string]string{"OTP_TTL": "0s"}, "OTP_TTL", "duration"},
		"no attempts":      {map[string]string{"OTP_ATTEMPTS": "0"}, "OTP_ATTEMPTS", "above 0"},
		"no failures":      {map[string]string{"OTP_FAILURES_PER_DAY": "0"}, "OTP_FAILURES_PER_DAY", "above 0"},
		"no pause":         {map[string]string{"OTP_RESEND_AFTER": "0s"}, "OTP_RESEND_AFTER", "duration"},
		"none an hour":     {map[string]string{"OTP_PER_HOUR": "0"}, "OTP_PER_HOUR", "above 0"},
		"none a day":       {map[string]string{"OTP_PER_DAY": "-1"}, "OTP_PER_DAY", "above 0"},
		"no proof":         {map[string]string{"VERIFIED_FOR": "1ms"}, "VERIFIED_FOR", "duration"},
		"negative source":  {map[string]string{"SOURCE_LIMIT": "-1"}, "SOURCE_LIMIT", "0 for no limit"},
		"negative guesses": {map[string]string{"SOURCE_GUESS_LIMIT": "-1"}, "SOURCE_GUESS_LIMIT", "0 for no limit"},
		"no window":        {map[string]string{"SOURCE_WINDOW": "0s"}, "SOURCE_WINDOW", "duration"},
		"no network":       {map[string]string{"SOURCE_ALLOW": "10.0.0.0/8,campus"}, "SOURCE_ALLOW", "158.108.0.0/16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := otp.ReadConfig(environment(c.vars))
			faults, ok := errors.AsType[service.Faults](err)
			if !ok || len(faults) != 1 {
				t.Fatalf("ReadConfig: %v, want one fault", err)
			}
			if faults[0].Setting != c.setting || !strings.Contains(faults[0].Error(), c.say) {
				t.Errorf("fault %q, want one of %s that says %q", faults[0], c.setting, c.say)
			}
			for setting, value := range c.vars {
				if secret := strings.HasSuffix(setting, "_KEY") || setting == "OTP_PEPPER"; secret && value != "" && strings.Contains(err.Error(), value) {
					t.Errorf("the secret is in %q", err)
				}
			}
		})
	}
}

// Without a key for proofs there are none, and the service starts.
func TestReadConfig_noProofs(t *testing.T) {
	t.Parallel()
	if cfg, err := otp.ReadConfig(environment(map[string]string{"OTP_PROOF_KEY": ""})); err != nil || cfg.ProofKey != "" {
		t.Errorf("ReadConfig: %q, %v", cfg.ProofKey, err)
	}
}

const zeroless = "q0Zb4Vt0m1mYkR6b3c2oXk0i3J9y8QeTz7wUuPpLsDg="

func TestReadConfig_reportsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := otp.ReadConfig(environment(map[string]string{
		"AMQP_URL": "", "OTP_PEPPER": "", "OTP_SEAL_KEY": "x", "OTP_DIGITS": "1", "OTP_TTL": "never",
	}))
	faults, ok := errors.AsType[service.Faults](err)
	if !ok || len(faults) != 5 {
		t.Errorf("ReadConfig: %v, want five faults", err)
	}
}
