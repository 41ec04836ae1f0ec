package swarm_test

import (
	"context"
	"crypto/rand"
	"net"
	"slices"
	"testing"

	"matriq/test/harness"
	"matriq/test/swarm/lab"
	"matriq/test/swarm/load"
)

// fresh: a machine that is in no swarm and has no image brings the registration up
// with one command. It was the third node until now.
func (o *operator) fresh(t *testing.T) {
	node := o.swarm.Nodes[2]
	o.takeOut(t, node)
	site := &load.Site{
		Origin: o.site.Origin, OTPGateway: o.site.OTPGateway, RegisterGateway: o.site.RegisterGateway,
		Name: client, Addresses: []string{node.Addr},
		Inbox: harness.Inbox("http://" + net.JoinHostPort(node.Addr, inboxPort)),
	}
	usual := o.env
	defer func() { o.env = usual }()
	o.env = append(append(slices.Clone(usual), node.Env()...), "STACK=fresh")
	o.brings(t, "deploy/up --init --inbox --pull")
	site.Password = rand.Text()
	if out, err := o.command(t, "fresh", client+":"+site.Password+":otp+register+import\n", "secret", "api_clients"); err != nil {
		t.Fatalf("deploy/secret api_clients: %v\n%s", err, out)
	}
	o.brings(t, "deploy/up --inbox --pull")
	if err := site.List(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	run := load.Start(t.Context(), site, load.NewCrowd(), load.Plan{})
	defer run.Stop()
	person := run.Visitor()
	if err := person.AskCode(t.Context()); err != nil {
		t.Fatalf("asks for a code: %v", err)
	}
	if err := person.Finish(t.Context()); err != nil {
		t.Errorf("registers: %v", err)
	}
}

// brings runs a command that has to succeed.
func (o *operator) brings(t *testing.T, command string) {
	t.Helper()
	out, err := o.shell(t, command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	t.Logf("%s\n%s", command, out)
}

// takeOut has a node leave the swarm for good, without its images.
func (o *operator) takeOut(t *testing.T, node *lab.Node) {
	t.Helper()
	o.drain(t, node)
	o.docker(t, "node", "demote", node.Name)
	o.wait(t, node.Name+" to leave", func(ctx context.Context) bool {
		_, err := node.Docker(ctx, "swarm", "leave")
		return err == nil
	}, func() string { return "" })
	o.docker(t, "node", "rm", "--force", node.Name)
	if _, err := node.Docker(t.Context(), "image", "prune", "--all", "--force"); err != nil {
		t.Fatal(err)
	}
}
