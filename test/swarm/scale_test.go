package swarm_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"matriq/test/swarm/load"
)

// behind lists the services that people do not meet directly.
func behind() []string {
	return []string{"otp-gateway", "register-gateway", "otp", "email-otp", "email-confirm", "student", "enroll"}
}

// scale gives services a number of replicas each, and waits for them.
func (s *stack) scale(t *testing.T, replicas int, services ...string) {
	t.Helper()
	args := []string{"service", "scale", "--detach"}
	for _, service := range services {
		args = append(args, fmt.Sprintf("%s=%d", s.service(service), replicas))
	}
	s.docker(t, args...)
	s.wait(t, fmt.Sprintf("%d of %v", replicas, services), func(ctx context.Context) bool {
		return !slices.ContainsFunc(services, func(service string) bool { return len(s.running(ctx, service)) != replicas })
	}, func() string { return "" })
	s.settle(t)
}

// running lists the containers of a service that run on any node.
func (s *stack) running(ctx context.Context, service string) (ids []string) {
	for _, node := range s.swarm.Nodes {
		ids = append(ids, s.runningOn(ctx, node, service)...)
	}
	return ids
}

const (
	// asked is how many requests show the names of all replicas.
	asked = 10
	// tens is how often they are sent: on a busy machine most take more than a second.
	tens = 20
)

// showNames: ten requests show the name of the one replica, then those of nine.
func showNames(t *testing.T, s *stack) load.Report {
	var sum load.Report
	for _, replicas := range []int{1, 9} {
		sum = sum.Plus(s.under(t, load.Usual(), func() { s.scale(t, replicas, "ui") }))
		sum = sum.Plus(s.askForNames(t, replicas))
	}
	return sum.Plus(s.under(t, load.Usual(), func() { s.scale(t, 2, "ui") }))
}

// askForNames fails the test unless ten requests, one after the other, show the
// names of all replicas, on the page as in the header. All go to one edge, since
// each has turns of its own. It asks DNS again each second and then begins anew: if
// that was in their midst, ten more are sent.
func (s *stack) askForNames(t *testing.T, replicas int) load.Report {
	t.Helper()
	one := s.newSite()
	one.Addresses, one.Password = one.Addresses[:1], s.site.Password
	run := load.Start(t.Context(), one, s.crowd, load.Plan{})
	for range tens {
		names := map[string]bool{}
		for range asked {
			name, page, err := run.First(t.Context())
			if err == nil && !strings.Contains(string(page), name) {
				t.Errorf("the page does not show the name of %s", name)
			}
			names[name] = true
		}
		t.Logf("%d requests show %d names: %s", asked, len(names), strings.Join(slices.Sorted(maps.Keys(names)), " "))
		if len(names) == replicas {
			return run.Stop()
		}
	}
	t.Errorf("no %d requests have shown all %d names", asked, replicas)
	return run.Stop()
}

// scale: ui from 2 to 6 and back, everything behind it from 1 to 3 and back.
func scale(t *testing.T, s *stack) load.Report {
	s.scale(t, 1, behind()...)
	report := s.under(t, load.Usual(), func() {
		s.scale(t, 6, "ui")
		s.scale(t, 2, "ui")
		s.scale(t, 3, behind()...)
		s.scale(t, 1, behind()...)
	})
	s.scale(t, 2, behind()...)
	return report
}

// acrossNothing: a person asks for a code, all replicas of ui go, two come, and
// she goes on where she was. Who uses REST notices nothing.
func acrossNothing(t *testing.T, s *stack) load.Report {
	run := load.Start(t.Context(), s.site, s.crowd, load.Plan{})
	person := run.Visitor()
	if err := person.AskCode(t.Context()); err != nil {
		t.Errorf("she asks for a code: %v", err)
		return run.Stop()
	}
	byREST := s.under(t, load.Plan{Journeys: 4, RESTOnly: true}, func() {
		s.scale(t, 0, "ui")
		s.scale(t, 2, "ui")
	})
	if err := person.Finish(t.Context()); err != nil {
		t.Errorf("she goes on: %v", err)
	}
	return run.Stop().Plus(byREST)
}
