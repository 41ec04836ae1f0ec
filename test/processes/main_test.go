// Package processes tests the seven services as separate processes on real
// servers, with replicas that are killed and replaced.
package processes_test

import (
	"testing"

	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
