package main_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"matriq/pkg/testenv"
)

const patience = 30 * time.Second

// However servers ends, its servers, its command, that command's own children
// and the data end too.
func TestServers_NothingIsLeft(t *testing.T) {
	t.Parallel()
	testenv.Installed(t)
	program := build(t)
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "terminated": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			run := start(t, program, tmp, "sleep 1000 & echo ready $!; wait")
			child := run.ready(t)
			family := descendants(t, run.cmd.Process.Pid)
			if names := strings.Join(commands(family), " "); !strings.Contains(names, "beam") ||
				!strings.Contains(names, "epmd") || !strings.Contains(names, "mariadbd") || !strings.Contains(names, "redis-server") {
				t.Fatalf("descendants are %s, want all servers", names)
			}
			if err := run.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = run.cmd.Wait() // its failure is what was asked for
			eventually(t, "processes of the run", func() []string { return commands(append(family, child)) })
			eventually(t, "data of the run", func() []string {
				left, err := filepath.Glob(filepath.Join(tmp, "*"))
				if err != nil {
					t.Fatal(err)
				}
				return left
			})
		})
	}
}

// The command's exit code is the run's, and it finds the variables.
func TestServers_ExitCode(t *testing.T) {
	t.Parallel()
	testenv.Installed(t)
	run := start(t, build(t), t.TempDir(), `test -n "$MATRIQ_TEST_AMQP_URL" -a -n "$MATRIQ_TEST_MYSQL_DSN" && exit 7`)
	if err := run.cmd.Wait(); run.cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("run ended with %v, want exit code 7", err)
	}
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "servers")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

type run struct {
	cmd *exec.Cmd
	out io.Reader
}

func start(t *testing.T, program, tmp, script string) run {
	t.Helper()
	cmd := exec.Command(program, "--", "/bin/sh", "-c", script) //nolint:noctx // a context would kill it, which the test does
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return run{cmd, out}
}

// ready waits until the command runs and returns the pid that it prints.
func (r run) ready(t *testing.T) int {
	t.Helper()
	line, err := bufio.NewReader(r.out).ReadString('\n')
	if err != nil {
		t.Fatalf("the command did not start: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "ready "))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// descendants lists the processes below pid.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended meanwhile
		}
		for field := range strings.FieldsSeq(string(children)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, child), descendants(t, child)...)
		}
	}
	return all
}

// commands names those of the processes that still run.
func commands(pids []int) []string {
	var names []string
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			continue
		}
		name, _, _ := strings.Cut(strings.SplitN(string(stat), "(", 2)[1], ")")
		names = append(names, name)
	}
	return names
}

func eventually(t *testing.T, what string, left func() []string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		names := left()
		if len(names) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s are left after %v: %v", what, patience, names)
			return
		}
	}
}
