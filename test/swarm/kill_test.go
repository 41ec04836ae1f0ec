package swarm_test

import (
	"context"
	"slices"
	"testing"

	"matriq/test/swarm/load"
)

// servers are what the services rely on, in the order in which they are killed.
func servers() []string {
	return []string{"rabbitmq", "session-redis", "otp-redis", "mail-redis", "student-db", "enroll-db"}
}

// killServers: the container of each server is killed with SIGKILL while people
// register. They are patient: a 503 that says when to come again is no failure.
func killServers(t *testing.T, s *stack) load.Report {
	plan := load.Usual()
	plan.Patient = true
	var sum load.Report
	for _, server := range servers() {
		report := s.under(t, plan, func() {
			s.kill(t, server)
			s.waitRegistered(t)
		})
		t.Logf("%s: %d requests, %d failed, %d asked to come later, %d people left, longest gap %v",
			server, report.Requests, report.Failed, report.Later, report.Left, report.Gap)
		sum = sum.Plus(report)
	}
	return sum
}

// kill kills the container of a service that has one, and waits until another is
// healthy in its place.
func (s *stack) kill(t *testing.T, service string) {
	t.Helper()
	node, old := s.container(t, service)
	if out, err := node.Docker(t.Context(), "kill", "--signal", "KILL", old); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.wait(t, "another "+service, func(ctx context.Context) bool {
		now := s.running(ctx, service)
		return len(now) == 1 && !slices.Contains(now, old)
	}, func() string { return old })
	s.settle(t)
}

// waitRegistered waits until somebody who comes now registers by the pages, and
// everything of it is done.
func (s *stack) waitRegistered(t *testing.T) {
	t.Helper()
	s.wait(t, "somebody to register", func(ctx context.Context) bool {
		run := load.Start(ctx, s.site, s.crowd, load.Plan{Patient: true})
		defer run.Stop() // the requests are those of the test, not of the people
		person := run.Visitor()
		return person.AskCode(ctx) == nil && person.Finish(ctx) == nil
	}, func() string { return "" })
}
