package lab_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
	"matriq/test/swarm/lab"
)

const (
	service = "lab-test"
	port    = "18099"
	patient = 2 * time.Minute
)

// TestSwarm starts a service on each node, and reaches each from each by the
// network that spans them, and from here. With NODES=3 a node is then killed and
// comes back.
func TestSwarm(t *testing.T) { //nolint:paralleltest // one lab on a machine
	swarm := start(t)
	answerEverywhere(t, swarm)
	if len(swarm.Nodes) == 1 {
		return
	}
	lost := swarm.Nodes[0] // the leader
	if err := lost.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	var leader *lab.Node
	eventually(t, "another leader", func(ctx context.Context) (err error) {
		leader, err = swarm.Leader(ctx)
		return err
	})
	if leader == lost {
		t.Errorf("%s leads, and has no power", leader.Name)
	}
	if err := lost.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eachAnswersEach(t, swarm)
	if err := swarm.Nodes[2].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := swarm.Nodes[2].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eachAnswersEach(t, swarm)
}

// start makes as many nodes as NODES says, or one.
func start(t *testing.T) *lab.Swarm {
	t.Helper()
	nodes, err := strconv.Atoi("0" + os.Getenv("NODES")) //nolint:forbidigo // a test has no service.Env
	if err != nil {
		t.Fatal(err)
	}
	swarm, err := lab.Start(t.Context(), max(1, nodes))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := swarm.Close(); err != nil {
			t.Error(err)
		}
	})
	return swarm
}

// answerEverywhere starts a Redis on each node.
func answerEverywhere(t *testing.T, swarm *lab.Swarm) {
	t.Helper()
	docker(t, swarm, "network", "create", "--driver", "overlay", service)
	t.Cleanup(func() {
		eventually(t, "the network to go", func(ctx context.Context) error {
			_, err := swarm.Docker(ctx, "network", "rm", service)
			return err
		})
	})
	docker(t, swarm, "service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", service, "--mode", "global", "--network", service,
		"--endpoint-mode", "dnsrr", "--publish", "mode=host,target=6379,published="+port, "redis:7.2-alpine")
	t.Cleanup(func() { docker(t, swarm, "service", "rm", service) })
	eachAnswersEach(t, swarm)
}

// eachAnswersEach waits until each node answers here, and each task answers the
// task of each node.
func eachAnswersEach(t *testing.T, swarm *lab.Swarm) {
	t.Helper()
	for _, node := range swarm.Nodes {
		eventually(t, node.Name+" to answer here", func(ctx context.Context) error { return ping(ctx, node) })
		eventually(t, "all to answer "+node.Name, func(ctx context.Context) error {
			return reachesAll(ctx, node, len(swarm.Nodes))
		})
	}
}

// ping asks the Redis that a node publishes.
func ping(ctx context.Context, node *lab.Node) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(node.Addr, port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, len("+PONG"))
	if _, err := conn.Read(answer); err != nil || string(answer) != "+PONG" {
		return fmt.Errorf("%q, %w", answer, err)
	}
	return nil
}

// reachesAll asks from the task of a node the tasks of all.
func reachesAll(ctx context.Context, node *lab.Node, tasks int) error {
	id, err := node.Docker(ctx, "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name="+service)
	if err != nil || id == "" {
		return fmt.Errorf("no task on %s (%w)", node.Name, err)
	}
	out, err := node.Docker(ctx, "exec", id, "sh", "-c",
		"getent ahostsv4 tasks."+service+" | cut -d' ' -f1 | sort -u | while read -r ip; do timeout 2 redis-cli -h $ip ping; done")
	if n := strings.Count(out, "PONG"); err != nil || n != tasks {
		return fmt.Errorf("%d of %d tasks answer (%w)", n, tasks, err)
	}
	return nil
}

func docker(t *testing.T, swarm *lab.Swarm, args ...string) {
	t.Helper()
	if _, err := swarm.Docker(context.WithoutCancel(t.Context()), args...); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until what is tried has no error.
func eventually(t *testing.T, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patient)
	defer cancel()
	var last error
	if err := harness.Poll(ctx, func() bool { last = try(ctx); return last == nil }); err != nil {
		t.Fatalf("%s: %v: %v", what, err, last)
	}
}
