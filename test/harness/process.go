// Package harness runs the seven services as separate processes, as many
// replicas as a test wants, and is the client that walks through a
// registration. Tests kill and replace processes while it walks.
//
// A process writes its log to a file, which is shown when the test fails. All
// processes end with the test, and with the test program whatever ends it.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTimeout is how long a process may take until it is ready.
const startTimeout = 30 * time.Second

// Process is one replica.
type Process struct {
	Name string
	// HTTP is the address of its pages or its REST calls; Admin has /readyz.
	HTTP, Admin string
	// LogFile has all that the process has written.
	LogFile string

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// start runs binary with the settings env and nothing else, and returns at
// once. name is for the log.
func start(t *testing.T, name, binary string, env map[string]string, args ...string) *Process {
	t.Helper()
	p, err := Launch(name, binary, filepath.Join(t.TempDir(), name+".log"), env, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if strings.Contains(p.Log(), "DATA RACE") {
			t.Errorf("%s has a data race", name)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.Log())
		}
	})
	return p
}

// Launch runs binary with the settings env and nothing else, and returns at
// once. Its output goes to the new file log. Whoever launches it kills it.
func Launch(name, binary, log string, env map[string]string, args ...string) (*Process, error) {
	p := &Process{
		Name: name, HTTP: env["HTTP_ADDR"], Admin: env["ADMIN_ADDR"], LogFile: log, done: make(chan struct{}),
	}
	out, err := os.Create(log) //nolint:gosec // G304: the test's own file
	if err != nil {
		return nil, err
	}
	defer out.Close()                     // the child has its own descriptor
	p.cmd = exec.Command(binary, args...) //nolint:gosec,noctx // the binary is the test's own and ends by Kill or Stop
	p.cmd.Env = environ(env)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func environ(env map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")} //nolint:forbidigo // handed on to a child
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// Kill ends the process with SIGKILL and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop ends the process with SIGTERM and returns how it exited.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	return p.err
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is how the process ended, -1 for a signal. It may be asked once Done
// is closed.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Log returns what the process has written so far, its end where it is long.
func (p *Process) Log() string {
	data, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	const most = 16 << 10
	if len(data) > most {
		data = append([]byte("…"), data[len(data)-most:]...)
	}
	return string(data)
}

// WaitReady fails the test unless the process is ready in time.
func (p *Process) WaitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	var last string
	err := Poll(ctx, func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s ended while it started: %v\n%s", p.Name, p.err, p.Log())
		default:
		}
		var ready bool
		ready, last = p.Ready(ctx)
		return ready
	})
	if err != nil {
		t.Fatalf("%s is not ready after %v: %s\n%s", p.Name, startTimeout, last, p.Log())
	}
}

// Ready asks the process whether it is ready, and what it says to that.
func (p *Process) Ready(ctx context.Context) (ready bool, answer string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/readyz", nil)
	if err != nil {
		return false, err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer res.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(res.Body)
	return res.StatusCode == http.StatusOK, body.String()
}

// Poll asks until yes, or returns the error of ctx.
func Poll(ctx context.Context, yes func() bool) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// build compiles each package once for a test program.
var build struct {
	sync.Mutex
	dir  string
	done map[string]string
}

// Binary returns the path of the compiled main package at the import path pkg,
// with the race detector if the test program has it.
func Binary(t *testing.T, pkg string) string {
	t.Helper()
	return binary(t, pkg, raceDetector)
}

// PlainBinary is Binary as it is deployed, for a test that measures.
func PlainBinary(t *testing.T, pkg string) string {
	t.Helper()
	return binary(t, pkg, false)
}

func binary(t *testing.T, pkg string, race bool) string {
	t.Helper()
	build.Lock()
	defer build.Unlock()
	name := strings.ReplaceAll(pkg, "/", "_") + map[bool]string{true: ".race"}[race]
	if path, ok := build.done[name]; ok {
		return path
	}
	path, err := compile(t.Context(), pkg, name, race)
	if err != nil {
		t.Fatal(err)
	}
	build.done[name] = path
	return path
}

func compile(ctx context.Context, pkg, name string, race bool) (string, error) {
	if build.dir == "" {
		dir, err := os.MkdirTemp("", "matriq-test-bin-")
		if err != nil {
			return "", err
		}
		build.dir, build.done = dir, map[string]string{}
	}
	path := filepath.Join(build.dir, name)
	out, err := exec.CommandContext(ctx, "go", "build", "-race="+strconv.FormatBool(race), "-o", path, pkg).CombinedOutput() //nolint:gosec // package paths of this workspace
	if err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// Main runs the tests of a package and removes what [Binary] has compiled.
func Main(m *testing.M) {
	code := m.Run()
	if build.dir != "" {
		if err := os.RemoveAll(build.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			code = 1
		}
	}
	os.Exit(code)
}
