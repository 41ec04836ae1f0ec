package swarm_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/test/swarm/load"
)

// checkTold fails the test unless everybody who was told "registered", and is not
// among those before, has everything: by REST, and in both databases.
func (s *stack) checkTold(t *testing.T, before map[int64]restapi.RegisterRequest) {
	t.Helper()
	told := s.crowd.Told()
	for id := range told {
		if _, ok := before[id]; !ok {
			s.waitComplete(t, id)
		}
	}
	students := s.rows(t, "student-db", "SELECT id, email, firstname, lastname FROM student.students")
	enrolments := s.rows(t, "enroll-db", "SELECT student_id, firstname, lastname FROM enroll.enrolments")
	for id, p := range told {
		if !students[fmt.Sprintf("%d\t%s\t%s\t%s", id, p.Email, p.Firstname, p.Lastname)] {
			t.Errorf("%s was told student ID %d, which student does not have", p.Email, id)
		}
		if !enrolments[fmt.Sprintf("%d\t%s\t%s", id, p.Firstname, p.Lastname)] {
			t.Errorf("%s was told student ID %d, which is not enrolled", p.Email, id)
		}
	}
}

// waitComplete waits until everything of a registration is done.
func (s *stack) waitComplete(t *testing.T, id int64) {
	t.Helper()
	var last string
	s.wait(t, fmt.Sprintf("the registration of %d", id), func(ctx context.Context) bool {
		progress, err := s.site.Progress(ctx, id)
		last = fmt.Sprintf("%+v %v", progress, err)
		return err == nil && load.Complete(progress)
	}, func() string { return last })
}

// rows returns what a query finds in a database of the stack.
func (s *stack) rows(t *testing.T, service, query string) map[string]bool {
	t.Helper()
	node, id := s.container(t, service)
	out, err := node.Docker(t.Context(), "exec", id, "sh", "-c",
		`exec mariadb --no-defaults --skip-column-names --batch -u root -p"$(cat /run/secrets/root)" -e "$0"`, query)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for line := range strings.SplitSeq(out, "\n") {
		found[line] = true
	}
	return found
}
