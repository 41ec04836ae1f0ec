package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"matriq/pkg/service"
)

// asProgram has the test binary be a program that tells how its threads are scheduled.
const asProgram = "MATRIQ_TEST_TELLS_THREADS"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		service.Main(service.Program{Name: "otp", Run: tellThreads})
	}
	os.Exit(m.Run())
}

// tellThreads writes how each thread is scheduled, of those as well that start now.
func tellThreads(context.Context, service.Env) error {
	begun, end := make(chan struct{}), make(chan struct{})
	for range 4 {
		go func() {
			runtime.LockOSThread()
			begun <- struct{}{}
			<-end
		}()
		<-begun
	}
	defer close(end)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		slack, err := slackOf(id)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "policy %d nice %d slack %v\n", attr.Policy, attr.Nice, slack); err != nil {
			return err
		}
	}
	return nil
}

// slackOf needs CAP_SYS_NICE for a thread that is not the caller.
func slackOf(thread int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", thread))
	if err != nil {
		return 0, err
	}
	ns, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return time.Duration(ns), err
}

// Go's own threads are among them, which start before the program's first line.
func TestProgram_Scheduling(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"":                   "policy 3 nice 7 slack 5ms",
		"SCHED_POLICY=batch": "policy 3 nice 7 slack 5ms",
		"SCHED_POLICY=other": "policy 0 nice 7 slack 5ms",
		"TIMER_SLACK=1ms":    "policy 3 nice 7 slack 1ms",
		"TIMER_SLACK=0":      "policy 3 nice 7 slack 50µs",
	} {
		cmd := exec.CommandContext(t.Context(), "nice", "-n", "7", os.Args[0]) //nolint:gosec // this test
		cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), setting}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", setting, err, out)
		}
		threads := 0
		for line := range strings.Lines(string(out)) {
			switch {
			case !strings.HasPrefix(line, "policy "):
				if strings.Contains(line, "not in force") {
					t.Errorf("%q: %s", setting, line)
				}
			case strings.TrimSpace(line) != want:
				t.Errorf("%q: a thread has %s, want %s", setting, line, want)
			default:
				threads++
			}
		}
		if threads < 5 {
			t.Errorf("%q: %d threads are scheduled so; want the four that start in the program, and its first", setting, threads)
		}
	}
}

// Where an execution loses what was set for it there is no second one.
func TestProgram_ExecutedOnce(t *testing.T) {
	t.Parallel()
	// The shell stands for the program's first execution: it has the same process.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `MATRIQ_EXECUTED_BY=$$ exec "$0"`, os.Args[0]) //nolint:gosec // this test
	cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "is lost when it is executed") {
		t.Errorf("%v, want a run that warns:\n%s", err, out)
	}
}

func TestProgram_BadScheduling(t *testing.T) {
	t.Parallel()
	for setting, value := range map[string]string{"SCHED_POLICY": "fifo", "TIMER_SLACK": "1s"} {
		got := execute(t, program(func(ctx context.Context, env service.Env) error {
			return env.Serve(ctx)
		}), []string{setting + "=" + value})
		if got.code != 2 || !strings.Contains(got.stderr, `"setting":"`+setting+`"`) {
			t.Errorf("%+v, want code 2 and the setting", got)
		}
	}
}
