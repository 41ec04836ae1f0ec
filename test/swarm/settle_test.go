package swarm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
)

// settleTimeout is how long the swarm may take for what it was told: an image
// that never gets healthy is given a minute for each of its starts.
const settleTimeout = 4 * time.Minute

// settle waits until each service has the tasks that it should have, and no other
// task runs any more.
func (s *stack) settle(t *testing.T) {
	t.Helper()
	var waiting []string
	s.wait(t, "the stack to settle", func(ctx context.Context) bool {
		waiting = s.unsettled(ctx)
		return len(waiting) == 0
	}, func() string { return strings.Join(waiting, "\n") })
}

// unsettled says what is still to come. Tasks of a node that is down do not
// count: the swarm takes them for running until it hears otherwise.
func (s *stack) unsettled(ctx context.Context) (waiting []string) {
	services := s.services(ctx)
	args := []string{"service", "ps", "--format", "{{.Node}} {{.Name}} {{.DesiredState}} {{.CurrentState}}"}
	for name := range services {
		args = append(args, s.service(name))
	}
	tasks, err := s.swarm.Docker(ctx, args...)
	if err != nil {
		return []string{err.Error()}
	}
	down, running := s.nodesThatAre(ctx, "Down"), map[string]int{}
	for _, line := range lines(tasks) {
		fields := strings.Fields(line) // node, name.slot, what it should do, what it does
		if len(fields) < 4 || fields[3] != "Running" || slices.Contains(down, fields[0]) {
			continue
		}
		if fields[2] != "Running" {
			waiting = append(waiting, "leaves: "+line)
			continue
		}
		name, _, _ := strings.Cut(fields[1], ".")
		running[name]++
	}
	for name, service := range services {
		if running[s.service(name)] != service.wanted || !service.final() {
			waiting = append(waiting, fmt.Sprintf("%s has %d of %d %s", name, running[s.service(name)], service.wanted, service.state))
		}
	}
	return waiting
}

// serviceState is what the swarm says of a service: how many tasks it should
// have, and how its newest update goes.
type serviceState struct {
	wanted           int
	state, startedAt string
}

func (u serviceState) final() bool { return u.state != "updating" && u.state != "rollback_started" }

// services returns those of the stack, without its name. It is asked often, and
// each question is a process: so they are few. Without an answer, there is one of
// which nothing is known, and nothing of what is waited for has come true.
func (s *stack) services(ctx context.Context) map[string]serviceState {
	unknown := map[string]serviceState{"": {state: "updating"}}
	list, err := s.swarm.Docker(ctx, "stack", "services", s.name, "--format", "{{.Name}} {{.Replicas}}")
	if err != nil || list == "" {
		return unknown
	}
	all, args := map[string]serviceState{}, []string{"service", "inspect", "--format", "{{.Spec.Name}} {{with .UpdateStatus}}{{.State}} {{.StartedAt}}{{end}}"}
	for _, line := range lines(list) {
		var name string
		var have, wanted int
		if _, err := fmt.Sscanf(line, "%s %d/%d", &name, &have, &wanted); err != nil {
			return unknown
		}
		all[name] = serviceState{wanted: wanted}
		args = append(args, name)
	}
	updates, err := s.swarm.Docker(ctx, args...)
	if err != nil {
		return unknown
	}
	named := map[string]serviceState{}
	for _, line := range lines(updates) {
		name, update, _ := strings.Cut(line, " ")
		service := all[name]
		service.state, service.startedAt, _ = strings.Cut(update, " ")
		named[strings.TrimPrefix(name, s.name+"_")] = service
	}
	return named
}

// wait asks until yes, and fails the test when that takes too long.
func (s *stack) wait(t *testing.T, what string, yes func(context.Context) bool, why func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	pace := time.NewTicker(2 * time.Second) // each question is a process
	defer pace.Stop()
	err := harness.Poll(ctx, func() bool {
		if yes(ctx) {
			return true
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
		return false
	})
	if err != nil {
		t.Fatalf("waited %v for %s:\n%s\n%s", settleTimeout, what, why(), s.tasks(t))
	}
}

// tasks is what the swarm says of the stack, for a test that fails.
func (s *stack) tasks(t *testing.T) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	out, err := s.swarm.Docker(ctx, "stack", "ps", s.name, "--no-trunc", "--format", "{{.Name}} {{.Image}} {{.Node}} {{.DesiredState}} {{.CurrentState}} {{.Error}}")
	return fmt.Sprint(out, err)
}

func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' })
}
