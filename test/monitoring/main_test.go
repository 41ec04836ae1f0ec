// Package monitoring tests what deploy/prometheus and deploy/grafana say against
// what they speak of.
//
// The seven programs run as processes on real servers, people register, some
// things go wrong, and a real Prometheus scrapes it all with the configuration
// that is deployed, but for where the targets are. Then every query of every
// panel must have an answer, and every metric that an alert names must exist.
//
// Grafana itself is not run: of the dashboards, the form is checked. The alerts
// have tests of their own in deploy/prometheus/tests, which promtool runs.
package monitoring_test

import (
	"os"
	"path/filepath"
	"testing"

	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// deployed returns the path of a file that is deployed.
func deployed(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(filepath.Join("..", "..", "deploy", path))
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(deployed(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
