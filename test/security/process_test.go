package security_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

func serviceBinary(t *testing.T, service string) string {
	t.Helper()
	return harness.Binary(t, "matriq/services/"+service+"/cmd/"+service)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	return testenv.Addr(t)
}

// runOnce runs a program that is to end by itself at once, and returns all that
// it wrote and its exit code.
func runOnce(t *testing.T, service string, env map[string]string) (said string, code int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := harness.Launch(service, serviceBinary(t, service), log, env)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not end by itself:\n%s", service, p.Log())
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), p.ExitCode()
}
