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

// unsettled says what is still to come.
func (s *stack) unsettled(ctx context.Context) (waiting []string) {
	leavers := []string{"service", "ps", "--filter", "desired-state=shutdown", "--format", "{{.Node}} {{.Name}} {{.CurrentState}}"}
	for name, service := range s.services(ctx) {
		if have, want, _ := strings.Cut(service.replicas, "/"); have != want || !service.final() {
			waiting = append(waiting, name+" "+service.replicas+" "+service.state)
		}
		leavers = append(leavers, s.service(name))
	}
	leaving, err := s.swarm.Docker(ctx, leavers...)
	if err != nil {
		return append(waiting, err.Error())
	}
	down := s.nodesThatAre(ctx, "Down") // of whose tasks nobody hears
	for _, line := range lines(leaving) {
		node, _, _ := strings.Cut(line, " ")
		if strings.Contains(line, " Running ") && !slices.Contains(down, node) {
			waiting = append(waiting, "leaves: "+line)
		}
	}
	return waiting
}

// serviceState is what the swarm says of a service: its tasks, and how its newest
// update goes.
type serviceState struct{ replicas, state, startedAt string }

func (u serviceState) final() bool { return u.state != "updating" && u.state != "rollback_started" }

// services returns those of the stack, without its name. It is asked often, and
// each question is a process: so they are few. Without an answer, there are none,
// and nothing of what is waited for has come true.
func (s *stack) services(ctx context.Context) map[string]serviceState {
	list, err := s.swarm.Docker(ctx, "stack", "services", s.name, "--format", "{{.Name}} {{.Replicas}}")
	if err != nil || list == "" {
		return map[string]serviceState{"the swarm": {state: "updating"}}
	}
	all, args := map[string]serviceState{}, []string{"service", "inspect", "--format", "{{.Spec.Name}} {{with .UpdateStatus}}{{.State}} {{.StartedAt}}{{end}}"}
	for _, line := range lines(list) {
		fields := strings.Fields(line)
		all[fields[0]] = serviceState{replicas: fields[1]}
		args = append(args, fields[0])
	}
	updates, err := s.swarm.Docker(ctx, args...)
	if err != nil {
		return map[string]serviceState{"the swarm": {state: "updating"}}
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
