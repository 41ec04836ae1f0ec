package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Up is a running matriq up, built from source.
type Up struct {
	*Process
	// UI, OTP and Register are URLs, read from what it printed.
	UI, OTP, Register string
	admin             string
	// Inbox is empty when a real mail server is used.
	Inbox
	// Started is how long it took from the start of the process until it had
	// printed that it is ready.
	Started time.Duration
}

// StartUp runs matriq up with free ports and the data folder dir.
func StartUp(t *testing.T, dir string, flags ...string) *Up {
	t.Helper()
	return StartUpBinary(t, Binary(t, "matriq/cmd/matriq"), dir, flags...)
}

// StartUpBinary is StartUp of a binary at a path.
func StartUpBinary(t *testing.T, binary, dir string, flags ...string) *Up {
	t.Helper()
	args := append([]string{
		"up", "--data", dir,
		"--ui-addr", "127.0.0.1:0", "--otp-addr", "127.0.0.1:0", "--register-addr", "127.0.0.1:0",
		"--inbox-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
	}, flags...)
	begin := time.Now()
	u := &Up{Process: start(t, "matriq-up", binary, nil, args...)}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	err := Poll(ctx, func() bool {
		select {
		case <-u.done:
			t.Fatalf("matriq up ended while it started: %v\n%s", u.err, u.Log())
		default:
		}
		return strings.Contains(u.Log(), "Ctrl-C stops it.")
	})
	if err != nil {
		t.Fatalf("matriq up is not ready after %v:\n%s", startTimeout, u.Log())
	}
	u.Started = time.Since(begin)
	u.UI, u.OTP, u.Register = u.url(t, "pages"), u.url(t, "otp-gateway"), u.url(t, "register-gateway")
	u.admin = u.url(t, "health")
	if inbox := urlAfter("inbox").FindStringSubmatch(u.Log()); inbox != nil {
		u.Inbox = Inbox(inbox[1])
	}
	return u
}

func urlAfter(what string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^  ` + what + ` +(http://[0-9.:]+)`)
}

// Admin is the URL of health and metrics.
func (u *Up) Admin() string { return u.admin }

func (u *Up) url(t *testing.T, what string) string {
	t.Helper()
	found := urlAfter(what).FindStringSubmatch(u.Log())
	if found == nil {
		t.Fatalf("matriq up does not tell where its %s is:\n%s", what, u.Log())
	}
	return found[1]
}

// Gateways returns the suite's, with the demo client.
func (u *Up) Gateways() Gateways {
	return Gateways{OTP: u.OTP, Register: u.Register, Name: "demo", Password: "demo"}
}

// Interrupt sends what Ctrl-C sends, and returns how long the process took to
// end and how it ended.
func (u *Up) Interrupt() (time.Duration, error) {
	begin := time.Now()
	_ = u.cmd.Process.Signal(syscall.SIGINT)
	<-u.done
	return time.Since(begin), u.err
}

// RSS is the resident memory of the process in bytes.
func (u *Up) RSS(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", ID(int64(u.cmd.Process.Pid)), "status"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(string(status))
	if found == nil {
		t.Fatalf("no VmRSS in\n%s", status)
	}
	return parseInt(t, found[1]) << 10
}

// Run runs matriq with args to its end and returns its output, standard error
// included, and its exit code.
func Run(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Binary(t, "matriq/cmd/matriq"), args...) //nolint:gosec // the test's own binary
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited { //nolint:errorlint // documented to be this type, unwrapped
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
