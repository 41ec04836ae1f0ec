package security_test

import (
	"testing"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// straight are the first replicas themselves, with nobody in between.
func (s *system) straight(t *testing.T) harness.Behind {
	t.Helper()
	port := func(service string) string { return harness.Port(t, s.Replicas(service)[0].HTTP) }
	return harness.Behind{UI: port("ui"), OTP: port("otp-gateway"), Register: port("register-gateway")}
}

// noReplicas are ports at which nobody listens.
func noReplicas(t *testing.T) harness.Behind {
	t.Helper()
	nobody := func() string { return harness.Port(t, testenv.Addr(t)) }
	return harness.Behind{UI: nobody(), OTP: nobody(), Register: nobody()}
}
