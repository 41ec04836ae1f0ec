package service_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"matriq/pkg/service"
)

// asProgram has the test binary be a program that tells the policies of its threads.
const asProgram = "MATRIQ_TEST_TELLS_POLICIES"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		service.Main(service.Program{Name: "otp", Run: tellPolicies})
	}
	os.Exit(m.Run())
}

// tellPolicies writes the policy of each thread, of those as well that start now.
func tellPolicies(context.Context, service.Env) error {
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
		if _, err := os.Stdout.WriteString("policy " + strconv.Itoa(int(attr.Policy)) + " nice " + strconv.Itoa(int(attr.Nice)) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

func TestProgram_SchedPolicy(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"":                   "policy 3 nice 7",
		"SCHED_POLICY=batch": "policy 3 nice 7",
		"SCHED_POLICY=other": "policy 0 nice 7",
	} {
		cmd := exec.CommandContext(t.Context(), "nice", "-n", "7", os.Args[0]) //nolint:gosec // this test
		cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), setting}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", setting, err)
		}
		threads := 0
		for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); threads++ {
			if got := lines.Text(); got != want {
				t.Errorf("%q: a thread has %s, want %s", setting, got, want)
			}
		}
		if threads < 5 {
			t.Errorf("%q: %d threads told of themselves; want the four that start in the program, and its first", setting, threads)
		}
	}
}

func TestProgram_BadSchedPolicy(t *testing.T) {
	t.Parallel()
	got := execute(t, program(func(ctx context.Context, env service.Env) error {
		return env.Serve(ctx)
	}), []string{"SCHED_POLICY=fifo"})
	if got.code != 2 || !strings.Contains(got.stderr, `"setting":"SCHED_POLICY"`) {
		t.Errorf("%+v, want code 2 and the setting", got)
	}
}
