package swarm_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"matriq/test/swarm/load"
)

// Versions of the images. They differ in more than their name: each program tells
// its version, and the title of the second ui has another colour.
const (
	versionOne   = "one"
	versionTwo   = "two"
	versionSick  = "sick"
	versionCrash = "crash"
)

// ours lists the services that run an image of ours, without the edge.
func ours() []string { return append([]string{"ui"}, behind()...) }

// change updates services to a version and waits for the end that it should
// have, "completed" or "rollback_completed".
func (s *stack) change(t *testing.T, version, end string, services ...string) {
	t.Helper()
	before := s.services(t.Context())
	for _, service := range services {
		s.docker(t, "service", "update", "--detach", "--no-resolve-image", "--image", s.image(service, version), s.service(service))
	}
	s.waitUpdated(t, before, end, services...)
}

// waitUpdated waits until each service has gone through another update than the
// one of before, and fails the test unless it ended as it should. What a command
// exits with does not tell of a rollback.
func (s *stack) waitUpdated(t *testing.T, before map[string]serviceState, end string, services ...string) {
	t.Helper()
	var now map[string]serviceState
	s.wait(t, fmt.Sprintf("the update of %v", services), func(ctx context.Context) bool {
		now = s.services(ctx)
		return !slices.ContainsFunc(services, func(service string) bool {
			return now[service].startedAt == before[service].startedAt || !now[service].final()
		})
	}, func() string { return fmt.Sprint(now) })
	for _, service := range services {
		if now[service].state != end {
			t.Errorf("the update of %s ended as %s, want %s\n%s", service, now[service].state, end, s.tasks(t))
		}
	}
	s.settle(t)
}

// wantVersion fails the test unless all running tasks of services have the image
// of a version.
func (s *stack) wantVersion(t *testing.T, version string, services ...string) {
	t.Helper()
	for _, service := range services {
		out := s.docker(t, "service", "ps", s.service(service), "--filter", "desired-state=running", "--format", "{{.Image}}")
		images := lines(out)
		want := s.image(service, version)
		if len(images) == 0 || slices.ContainsFunc(images, func(image string) bool { return image != want }) {
			t.Errorf("%s runs %v, want %s", service, images, want)
		}
	}
}

// update: every service to version two. ui, of which there are six, is updated in
// three steps.
func update(t *testing.T, s *stack) load.Report {
	s.scale(t, 6, "ui")
	s.wantTitle(t, false)
	report := s.under(t, load.Usual(), func() { s.change(t, versionTwo, "completed", ours()...) })
	s.wantVersion(t, versionTwo, ours()...)
	s.wantTitle(t, true)
	return report
}

// rollBack: the operator takes all of that back. What is taken back is the newest
// change of a service, be it no more than its number of replicas: so that there
// is none between the update and this.
func rollBack(t *testing.T, s *stack) load.Report {
	if s.runs(t, "ui") != s.image("ui", versionTwo) {
		s.change(t, versionTwo, "completed", ours()...)
	}
	report := s.under(t, load.Usual(), func() {
		before := s.services(t.Context())
		for _, service := range ours() {
			s.docker(t, "service", "rollback", "--detach", s.service(service))
		}
		s.waitUpdated(t, before, "rollback_completed", ours()...)
	})
	s.wantVersion(t, versionOne, ours()...)
	s.wantTitle(t, false)
	s.scale(t, 2, "ui")
	return report
}

// neverHealthy: the swarm takes the update back by itself.
func neverHealthy(t *testing.T, s *stack) load.Report {
	return s.refuse(t, versionSick, "ui", "otp-gateway")
}

// crash: as neverHealthy, of a worker too.
func crash(t *testing.T, s *stack) load.Report {
	return s.refuse(t, versionCrash, "ui", "student")
}

// refuse updates services to a version that does not work.
func (s *stack) refuse(t *testing.T, version string, services ...string) load.Report {
	t.Helper()
	before := map[string]string{}
	for _, service := range services {
		before[service] = s.runs(t, service)
	}
	report := s.under(t, load.Usual(), func() { s.change(t, version, "rollback_completed", services...) })
	for service, image := range before {
		if now := s.runs(t, service); now != image {
			t.Errorf("%s runs %s after the rollback, want %s", service, now, image)
		}
	}
	return report
}

// runs is the image that a service is to run.
func (s *stack) runs(t *testing.T, service string) string {
	t.Helper()
	return strings.TrimSpace(s.docker(t, "service", "inspect", s.service(service), "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}"))
}

// otherColour is the rule for the title that the second ui has.
const otherColour = "h1 { color: rebeccapurple; }"

var stylesheet = regexp.MustCompile(`/static/app\.[^"]+\.css`)

// wantTitle fails the test unless the stylesheet of the first page gives the title
// the other colour, or its own.
func (s *stack) wantTitle(t *testing.T, other bool) {
	t.Helper()
	run := load.Start(t.Context(), s.site, s.crowd, load.Plan{})
	defer run.Stop()
	_, page, err := run.First(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	css, err := run.Get(t.Context(), string(stylesheet.Find(page)))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(css, []byte(otherColour)) != other {
		t.Errorf("the title has the other colour: %t, want %t", !other, other)
	}
}
