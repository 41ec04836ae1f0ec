package faultkit

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// Role is what the test program does instead of its tests when it is started by
// [Spawn], until ctx ends, which SIGTERM does.
type Role func(ctx context.Context, args []string) error

const roleFlag = "faultkit-role"

// Main is the whole of a TestMain: it plays the role that the program was started
// for, else runs the tests and looks for goroutines that are left.
func Main(m *testing.M, roles map[string]Role) {
	if len(os.Args) > 2 && os.Args[1] == roleFlag {
		os.Exit(play(roles[os.Args[2]], os.Args[3:]))
	}
	goleak.VerifyTestMain(m)
}

func play(role Role, args []string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if err := role(ctx, args); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n") // there is nobody else to tell
		return 1
	}
	return 0
}

// Process is a program of its own that can be killed.
type Process struct {
	cmd *exec.Cmd
	log string
}

// Spawn starts this test program in a role. It ends with the test, or with the
// test program whatever ends that.
func Spawn(tb testing.TB, role string, args ...string) *Process {
	tb.Helper()
	p := &Process{log: filepath.Join(tb.TempDir(), role+".log")}
	out, err := os.Create(p.log)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(os.Args[0], append([]string{roleFlag, role}, args...)...) //nolint:gosec,noctx // the test program itself; it ends by Kill or Stop
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.Kill()
		if tb.Failed() {
			out, _ := os.ReadFile(p.log) // an empty log says as much
			tb.Logf("log of %s:\n%s", role, out)
		}
	})
	return p
}

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() { _ = p.end(syscall.SIGKILL) }

// Stop ends the process with SIGTERM and waits for it; an error is its own.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM) }

func (p *Process) end(signal syscall.Signal) error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return p.cmd.Wait()
}
