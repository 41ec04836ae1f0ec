package swarm_test

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
	"matriq/test/swarm/lab"
	"matriq/test/swarm/load"
)

// What the stack of the exercises is called and where it listens, so that it is
// not in the way of another on this machine. Each run has a name of its own: an
// engine may keep a network of an earlier one that its swarm has forgotten.
const (
	stackPrefix  = "exercise-"
	httpPort     = "18480"
	httpsPort    = "18443"
	registerPort = "18401"
	otpPort      = "18402"
	inboxPort    = "18425"
	client       = "exercise"
)

// people is how many are eligible.
const people = 20_000

// scriptTimeout is how long one of the operator's scripts may take; the first
// build compiles the edge.
const scriptTimeout = 15 * time.Minute

// stack is the deployed stack and the people in front of it.
type stack struct {
	swarm  *lab.Swarm
	name   string
	prefix string   // of the images
	env    []string // of the operator's scripts
	site   *load.Site
	crowd  *load.Crowd
}

// nodes is how many nodes the exercises are to have.
func nodes(t *testing.T) int {
	t.Helper()
	text := os.Getenv("NODES") //nolint:forbidigo // a test has no service.Env
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n != 1 && n != 3 {
		t.Fatalf("NODES is %q, want 1 or 3", text)
	}
	return n
}

// startStack builds the images and deploys them, and removes the stack with its
// data when the test ends.
func startStack(t *testing.T, nodes int) *stack {
	t.Helper()
	s := newStack(t, nodes)
	s.buildImages(t)
	password := rand.Text()
	s.scriptIn(t, client+":"+password+":otp+register+import\n", "secret", "api_clients")
	t.Cleanup(func() { s.script(t, "down", "--data", "--secrets", "--yes") })
	began := time.Now()
	s.deploy(t)
	t.Logf("deployed in %v", time.Since(began).Round(time.Second))
	s.site.Password = password
	if err := s.site.List(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	return s
}

func newStack(t *testing.T, nodes int) *stack {
	t.Helper()
	swarm, err := lab.Start(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := swarm.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stack{swarm: swarm, name: stackPrefix + strings.ToLower(rand.Text()[:6]), crowd: load.NewCrowd()}
	noFile := filepath.Join(t.TempDir(), "matriq.env")
	write(t, noFile, nil)
	s.env = append([]string{"IMAGE_PREFIX=localhost/matriq"}, swarm.Env()...)
	s.env = append(s.env,
		"MATRIQ_ENV="+noFile, "STACK="+s.name, "VERSION="+versionOne,
		"EDGE_HTTP_PORT="+httpPort, "EDGE_HTTPS_PORT="+httpsPort, "REGISTER_API_PORT="+registerPort, "OTP_API_PORT="+otpPort,
		"INBOX_PORT="+inboxPort, "SUBNET_PUBLIC=10.210.1.0/24", "SUBNET_API=10.210.2.0/24",
		"PUBLIC_ORIGIN=http://localhost:"+httpPort, "MAIL_FROM=Registration <registration@example.ac.th>",
		"SHOW_REPLICA=true", "SOURCE_LIMIT=0", "HEALTH_INTERVAL=4s")
	s.prefix = setting(s.env, "IMAGE_PREFIX")
	s.site = s.newSite()
	s.removeLeft(t)
	return s
}

// removeLeft removes what runs before this one have left because they were
// killed.
func (s *stack) removeLeft(t *testing.T) {
	t.Helper()
	names := lines(s.docker(t, "stack", "ls", "--format", "{{.Name}}"))
	names = append(names, lines(s.docker(t, "volume", "ls", "--format", `{{.Label "com.docker.stack.namespace"}}`))...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.HasPrefix(name, stackPrefix) {
			continue
		}
		t.Logf("removing %s, left by an earlier run", name)
		if out, err := s.command(t, name, "", "down", "--data", "--secrets", "--yes"); err != nil {
			t.Logf("%v: %s", err, out) // it is in nobody's way
		}
	}
}

// setting is the value of a name in an environment, the last one of several.
func setting(env []string, name string) (value string) {
	for _, line := range env {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			value = v
		}
	}
	return value
}

// newSite is where people find the stack: at any of its nodes.
func (s *stack) newSite() *load.Site {
	var addresses []string
	for _, node := range s.swarm.Nodes {
		addresses = append(addresses, node.Addr)
	}
	at := func(port string) string { return "http://" + net.JoinHostPort("localhost", port) }
	return &load.Site{
		Origin: at(httpPort), RegisterGateway: at(registerPort), OTPGateway: at(otpPort), Name: client,
		Inbox: harness.Inbox("http://" + net.JoinHostPort(s.swarm.Nodes[0].Addr, inboxPort)), Addresses: addresses,
	}
}

// deploy runs deploy/up, as the operator does.
func (s *stack) deploy(t *testing.T) {
	t.Helper()
	s.script(t, "up", "--inbox")
	s.settle(t)
}

// script runs one of the operator's scripts in deploy/.
func (s *stack) script(t *testing.T, name string, args ...string) {
	t.Helper()
	s.scriptIn(t, "", name, args...)
}

func (s *stack) scriptIn(t *testing.T, input, name string, args ...string) {
	t.Helper()
	if out, err := s.command(t, s.name, input, name, args...); err != nil {
		t.Fatalf("deploy/%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// command runs a script for a stack and returns what it writes.
func (s *stack) command(t *testing.T, stack, input, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), scriptTimeout)
	defer cancel()
	cmd := s.operate(ctx, stack, name, args...)
	cmd.Stdin = strings.NewReader(input)
	return cmd.CombinedOutput()
}

// operate is a script for a stack that is not started yet.
func (s *stack) operate(ctx context.Context, stack, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join("../../deploy", name), args...)
	cmd.Env = append(append(os.Environ(), s.env...), "STACK="+stack)
	return cmd
}

// service is the name that the swarm knows a service of the stack by.
func (s *stack) service(name string) string { return s.name + "_" + name }

// image names the image of a service.
func (s *stack) image(service, version string) string {
	if strings.HasPrefix(service, "email-") {
		service = "email"
	}
	return s.prefix + "/" + service + ":" + version
}

// docker asks a manager.
func (s *stack) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.swarm.Docker(t.Context(), args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// container is the one that runs for a service, and its node.
func (s *stack) container(t *testing.T, service string) (node *lab.Node, id string) {
	t.Helper()
	for _, node := range s.swarm.Nodes {
		if ids := s.runningOn(t.Context(), node, service); len(ids) == 1 {
			return node, ids[0]
		}
	}
	t.Fatalf("there is no container of %s:\n%s", service, s.tasks(t))
	return nil, ""
}

// runningOn lists the containers of a service that run on a node.
func (s *stack) runningOn(ctx context.Context, node *lab.Node, service string) []string {
	out, err := node.Docker(ctx, "ps", "--quiet", "--no-trunc", "--filter", "label=com.docker.swarm.service.name="+s.service(service))
	if err != nil {
		return nil // the node is down
	}
	return lines(out)
}

// under does something while people come as planned: a moment before it, and a
// moment after.
func (s *stack) under(t *testing.T, plan load.Plan, do func()) load.Report {
	t.Helper()
	run := load.Start(t.Context(), s.site, s.crowd, plan)
	t.Cleanup(func() { run.Stop() }) // of a test that fails in the midst
	moment(t, run)
	do()
	moment(t, run)
	return run.Stop()
}

// moment waits until some more requests were sent.
func moment(t *testing.T, run *load.Run) {
	t.Helper()
	const some = 50
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until := run.SoFar().Requests + some
	if err := harness.Poll(ctx, func() bool { return run.SoFar().Requests >= until }); err != nil {
		t.Errorf("people do not come: %+v", run.SoFar())
	}
}
