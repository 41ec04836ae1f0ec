package swarm_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/test/swarm/lab"
	"matriq/test/swarm/load"
)

// The first node has the volumes and is neither drained nor killed: what it holds
// is nowhere else. See docs/operations.md.
const dataNode = 0

// rotateEdge: the config of the edge is replaced on two nodes, one after the
// other, and people go to the one that is there. Each node's edge is away for the
// moment in which the next takes over its ports.
func rotateEdge(t *testing.T, s *stack) load.Report {
	without := s.swarm.Nodes[2].Name
	s.docker(t, "node", "update", "--label-add", "matriq.edge=false", without)
	s.settle(t)
	was := strings.TrimSpace(s.docker(t, "service", "inspect", s.service("edge"), "--format", "{{range .Spec.TaskTemplate.ContainerSpec.Configs}}{{.ConfigName}}{{end}}"))
	other := s.otherCaddyfile(t)
	report := s.under(t, load.Usual(), func() {
		before := s.services(t.Context())
		s.docker(t, "service", "update", "--detach", "--no-resolve-image", "--config-rm", was, "--config-add", "source="+other+",target=/etc/caddy/Caddyfile", s.service("edge"))
		s.waitUpdated(t, before, "completed", "edge")
	})
	s.docker(t, "node", "update", "--label-rm", "matriq.edge", without)
	s.settle(t)
	return report
}

// otherCaddyfile stores the edge's config with a remark more, and returns its
// name.
func (s *stack) otherCaddyfile(t *testing.T) string {
	t.Helper()
	config, err := os.ReadFile("../../deploy/caddy/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "Caddyfile")
	write(t, file, append(config, "\n# rotated\n"...))
	name := s.name + "_caddyfile_rotated"
	s.docker(t, "config", "create", "--label", "com.docker.stack.namespace="+s.name, name, file)
	return name
}

// fresh is the usual load by clients that open a connection for each request: on
// one that was open to a node that died nobody can be helped.
func fresh() load.Plan {
	plan := load.Usual()
	plan.Fresh = true
	return plan
}

// drainNode: the tasks of a node go to the others; then it takes tasks again.
func drainNode(t *testing.T, s *stack) load.Report {
	node := s.swarm.Nodes[1]
	return s.under(t, fresh(), func() {
		s.drain(t, node)
		s.activate(t, node)
	})
}

func (s *stack) drain(t *testing.T, node *lab.Node) {
	t.Helper()
	s.docker(t, "node", "update", "--availability", "drain", node.Name)
	s.settle(t)
	s.wait(t, "nothing to run on "+node.Name, func(ctx context.Context) bool {
		out, err := node.Docker(ctx, "ps", "--quiet", "--filter", "label=com.docker.stack.namespace="+s.name)
		return err == nil && out == ""
	}, func() string { return "" })
}

func (s *stack) activate(t *testing.T, node *lab.Node) {
	t.Helper()
	s.docker(t, "node", "update", "--availability", "active", node.Name)
	s.settle(t)
}

// killNode: all tasks but the edges are on two nodes, and the one without the data
// loses its power.
func killNode(t *testing.T, s *stack) load.Report {
	s.drain(t, s.swarm.Nodes[2])
	for _, service := range ours() {
		s.docker(t, "service", "update", "--detach", "--no-resolve-image", "--force", s.service(service)) // spread again
	}
	s.settle(t)
	s.activate(t, s.swarm.Nodes[2])
	return s.lose(t, s.swarm.Nodes[1])
}

// killLeader: the manager that leads the swarm loses its power.
func killLeader(t *testing.T, s *stack) load.Report {
	s.passLeadOn(t)
	return s.lose(t, s.leader(t))
}

// passLeadOn makes another than the node with the data lead the swarm.
func (s *stack) passLeadOn(t *testing.T) {
	t.Helper()
	data, other := s.swarm.Nodes[dataNode], s.swarm.Nodes[1]
	if s.leader(t) != data {
		return
	}
	for _, change := range []string{"demote", "promote"} {
		s.wait(t, change+" of the leader", func(ctx context.Context) bool {
			_, err := other.Docker(ctx, "node", change, data.Name) // there may be no leader for a moment
			return err == nil
		}, func() string { return "" })
	}
	s.wait(t, "another leader", func(ctx context.Context) bool {
		leader, err := s.swarm.Leader(ctx)
		return err == nil && leader != data
	}, func() string { return "" })
}

func (s *stack) leader(t *testing.T) (leader *lab.Node) {
	t.Helper()
	s.wait(t, "a leader", func(ctx context.Context) bool {
		var err error
		leader, err = s.swarm.Leader(ctx)
		return err == nil
	}, func() string { return "" })
	return leader
}

// lose kills a node while people come, waits until the others have its tasks, and
// gives it its power back.
func (s *stack) lose(t *testing.T, node *lab.Node) load.Report {
	t.Helper()
	tasks := s.docker(t, "node", "ps", node.Name, "--filter", "desired-state=running", "--format", "{{.Name}}")
	t.Logf("%s has %d tasks", node.Name, len(lines(tasks)))
	return s.under(t, fresh(), func() {
		began := time.Now()
		if err := node.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.leader(t)
		t.Logf("the swarm has a leader %v after the kill", time.Since(began).Round(time.Second))
		s.waitStatus(t, node, "Down")
		s.settle(t)
		t.Logf("the others have its tasks %v after the kill", time.Since(began).Round(time.Second))
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.waitStatus(t, node, "Ready")
		s.settle(t)
	})
}

// waitStatus waits until the swarm knows how a node is.
func (s *stack) waitStatus(t *testing.T, node *lab.Node, status string) {
	t.Helper()
	s.wait(t, node.Name+" to be "+status, func(ctx context.Context) bool {
		return slices.Contains(s.nodesThatAre(ctx, status), node.Name)
	}, func() string { return "" })
}

func (s *stack) nodesThatAre(ctx context.Context, status string) (names []string) {
	out, err := s.swarm.Docker(ctx, "node", "ls", "--format", "{{.Hostname}} {{.Status}}")
	if err != nil {
		return nil
	}
	for _, line := range lines(out) {
		if name, is, _ := strings.Cut(line, " "); is == status {
			names = append(names, name)
		}
	}
	return names
}
