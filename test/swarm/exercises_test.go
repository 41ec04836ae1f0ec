// Package swarm_test does to a stack on a real Docker Swarm what its operator and
// its machines may do to it, while people use it, and counts the requests that
// fail.
//
// make test-swarm runs it: it needs root on Debian, and installs Docker there. The
// exercises go in order over one stack, which is then removed. NODES=3 makes three
// nodes of containers on this machine and does what one node cannot show.
//
// Who uses the stack meanwhile is told in matriq/test/swarm/load: about fifty
// requests in a second, whole registrations among them. Whoever was told
// "registered" in an exercise is looked up after it: by REST, and in the databases
// of student and enroll.
package swarm_test

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"matriq/test/harness"
	"matriq/test/swarm/load"
)

func TestMain(m *testing.M) { harness.Main(m) }

// notTold is what is known of the published system where it shows no such
// exercise, or shows it without counting.
const notTold = "not told"

// exercise is one thing that is done to the stack.
type exercise struct {
	name string
	// article is what the published system had. It shows four of these exercises
	// and counts no failures.
	article string
	allowed int // requests that may fail
	nodes   int // that it needs
	run     func(*testing.T, *stack) load.Report
}

// exercises returns them in an order in which each finds what it needs.
func exercises() []exercise {
	const one, three = 1, 3
	return []exercise{
		{"deploy/up again: cut off, then twice at a time", notTold, 0, one, upAgain},
		{"1 ui, then 9: 10 requests show all names", "names shown; failures not told", 0, one, showNames},
		{"ui 2 to 6 to 2, all others 1 to 3 to 1", "scaled by hand; failures not told", 0, one, scale},
		{"a person, ui to 0 and back between her pages", notTold, 0, one, acrossNothing},
		{"each service to a new image, title in another colour", "colours changed; failures not told", 0, one, update},
		{"docker service rollback", "rolled back; failures not told", 0, one, rollBack},
		{"an image that never gets healthy", notTold, 0, one, neverHealthy},
		{"an image that crashes", notTold, 0, one, crash},
		{"a secret is rotated", notTold, 0, one, rotateSecret},
		{"RabbitMQ, Redis, MariaDB killed one by one", notTold, 0, one, killServers},
		{"stack rm, deployed again", notTold, 0, one, deployAgain},
		{"the edge's config is changed", notTold, 0, three, rotateEdge},
		{"a node is drained and comes back", notTold, 0, three, drainNode},
		{"a node with half of the tasks is killed", notTold, 1, three, killNode},
		{"the leader of three is killed", notTold, 1, three, killLeader},
	}
}

func TestExercises(t *testing.T) { //nolint:paralleltest // one stack, one exercise after the other
	s := startStack(t, nodes(t))
	var table results
	for _, e := range exercises() { //nolint:paralleltest // as above
		if e.nodes <= len(s.swarm.Nodes) {
			t.Run(e.name, func(t *testing.T) { table.add(e, s.exercise(t, e)) })
		}
	}
	t.Logf("%d nodes, %d registered in all\n%s", len(s.swarm.Nodes), len(s.crowd.Told()), &table)
}

// exercise runs e and fails the test for what failed in it.
func (s *stack) exercise(t *testing.T, e exercise) load.Report {
	t.Helper()
	before := s.crowd.Told()
	began := time.Now()
	report := e.run(t, s)
	report.Took = time.Since(began)
	s.checkTold(t, before)
	for _, f := range report.Failures {
		t.Logf("failed after %v", f)
	}
	if report.Failed > e.allowed {
		t.Errorf("%d of %d requests failed, allowed are %d", report.Failed, report.Requests, e.allowed)
	}
	t.Logf("%d requests, %d failed, %d asked to come later, %d people left, %d registered; longest gap %v",
		report.Requests, report.Failed, report.Later, report.Left, report.Registered, report.Gap.Round(time.Millisecond))
	return report
}

// results is the table that is printed at the end.
type results struct{ lines []string }

func (r *results) add(e exercise, report load.Report) {
	failed := fmt.Sprint(report.Failed)
	if report.Later > 0 {
		failed += fmt.Sprintf(" (%d told to come later)", report.Later)
	}
	r.lines = append(r.lines, fmt.Sprintf("%s\t%s\t%d\t%s\t%.0f s", e.name, e.article, report.Requests, failed, report.Took.Seconds()))
}

func (r *results) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "exercise\tthe article\trequests\tfailed\ttime")
	for _, line := range r.lines {
		fmt.Fprintln(w, line)
	}
	_ = w.Flush() // into memory
	return b.String()
}
