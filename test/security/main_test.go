// Package security_test attacks the system from outside: three replicas of the
// pages, of both gateways and of otp, on real servers, behind an edge that
// spreads requests over them in turn. What docs/security.md promises has its test
// here, or in the tests that its table names.
//
// [TestSystem] starts one system with the settings that are shipped and runs all
// trials that bear company on it, one after the other, so that one may measure.
// [TestEdge] does the same before the edge that is deployed. A test that needs other
// settings, or breaks something, starts a system of its own.
//
// Three settings make it look longer than make test-security does:
// SECURITY_SAMPLES=2000 at what answers tell, SECURITY_CAMPUS=50000 at a crowd behind
// one address, SECURITY_OUTAGE=10m at a mail server that is down.
//
// Time is not waited for. A trial that needs a day moves what Redis holds of an
// address into the past: see [system.pass].
package security_test

import (
	"testing"

	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
