package swarm_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"

	"matriq/test/swarm/load"
)

// upAgain: deploy/up is killed in its midst, and then run by two at once. The lock of the killed one does not hold them; one of them finds nothing to do,
// the other says that somebody is at it. No task is another afterwards.
func upAgain(t *testing.T, s *stack) load.Report {
	before := s.taskIDs(t)
	report := s.under(t, load.Usual(), func() {
		s.killUp(t)
		said := s.twoUps(t)
		if !strings.Contains(said[0]+said[1], "going on after a command that was killed") {
			t.Errorf("neither says that a command was killed:\n%s%s", said[0], said[1])
		}
		if !strings.Contains(said[0], "Nothing had to change.") {
			t.Errorf("deploy/up again says\n%s", said[0])
		}
		if !strings.Contains(said[1], "is changing the stack "+s.name) {
			t.Errorf("deploy/up beside another says\n%s", said[1])
		}
	})
	if now := s.taskIDs(t); !slices.Equal(now, before) {
		t.Errorf("the tasks are\n%s\nand were\n%s", strings.Join(now, "\n"), strings.Join(before, "\n"))
	}
	return report
}

// taskIDs lists the tasks that run and that ran.
func (s *stack) taskIDs(t *testing.T) []string {
	t.Helper()
	ids := lines(s.docker(t, "stack", "ps", s.name, "--no-trunc", "--format", "{{.ID}} {{.Name}} {{.DesiredState}}"))
	slices.Sort(ids)
	return ids
}

// killUp starts deploy/up and kills it, and what it has started, when it has locked
// the stack.
func (s *stack) killUp(t *testing.T) {
	t.Helper()
	cmd := s.operate(t.Context(), s.name, "up", "--inbox")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "deploy/up to lock the stack", func(ctx context.Context) bool {
		_, err := s.swarm.Docker(ctx, "config", "inspect", s.name+"_lock")
		return err == nil
	}, func() string { return "" })
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended, which the next one tells
	_ = cmd.Wait()                                      // it was killed
}

// twoUps runs deploy/up twice at a time and returns what they say: first the one
// that succeeded.
func (s *stack) twoUps(t *testing.T) [2]string {
	t.Helper()
	type end struct {
		said string
		err  error
	}
	ends := make(chan end, 2)
	for range 2 {
		go func() {
			out, err := s.command(t, s.name, "", "up", "--inbox")
			ends <- end{string(out), err}
		}()
	}
	one, other := <-ends, <-ends
	if one.err != nil {
		one, other = other, one
	}
	if one.err != nil || other.err == nil {
		t.Fatalf("of two at a time one must succeed, and one fail:\n%v %s\n%v %s", one.err, one.said, other.err, other.said)
	}
	return [2]string{one.said, other.said}
}
