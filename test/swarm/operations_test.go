package swarm_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"matriq/test/operations"
	"matriq/test/swarm/load"
)

// operator is who follows docs/operations.md, in a folder with nothing but the
// files that the page has him write, and a link to deploy.
type operator struct {
	*stack
	folder string
	says   *strings.Replacer // names of the page, to names of the lab
}

// TestOperations runs the page: with one node all blocks that need no more, with
// three those for three. The blocks that it cannot run it looks at: docker has to
// know their options. Somebody registers on the way, and is there at the end. The
// third node is then made a machine that has nothing, for a first deployment there.
func TestOperations(t *testing.T) { //nolint:paralleltest // one stack, one block after the other
	n := nodes(t)
	o := newOperator(t, n)
	for _, block := range readPage(t) {
		here := block.NotRun == "" && block.ThreeNodes == (n == 3)
		passed := t.Run(fmt.Sprintf("line %d %s", block.Line, block.Section), func(t *testing.T) {
			checkDocker(t, o, block)
			if here {
				o.follow(t, block)
			}
		})
		if !passed {
			t.Fatal("the rest of the page builds on this block")
		}
	}
	if n == 3 {
		t.Run("a machine that has nothing", o.fresh)
	}
}

func readPage(t *testing.T) []operations.Block {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := operations.Read(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

// newOperator has the ground that the page begins on: images of what is checked
// out, and nothing deployed. With three nodes, where the page begins later, the
// stack runs already.
func newOperator(t *testing.T, nodes int) *operator {
	t.Helper()
	o := &operator{stack: newStack(t, nodes), folder: t.TempDir()}
	names := []string{
		"/var/backups/matriq", filepath.Join(o.folder, "backups"), "matriq_", o.name + "_",
		"services matriq", "services " + o.name, "--quiet matriq", "--quiet " + o.name,
	}
	for i, node := range o.swarm.Nodes {
		names = append(names, fmt.Sprintf("node%d", i+1), node.Name)
	}
	o.says = strings.NewReplacer(names...)
	scripts, err := filepath.Abs("../../deploy")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(scripts, filepath.Join(o.folder, "deploy")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(o.folder, "smtp-url.txt"), []byte("smtp://user:not-a-password@mail.example.ac.th:587\n"))
	o.env = append(o.env, "INBOX=true", "UPDATE_DELAY=0s", "UPDATE_MONITOR=5s")
	o.build(t, versionOne)
	t.Cleanup(func() { o.script(t, "down", "--data", "--secrets", "--yes") })
	o.site.Password = rand.Text()
	o.scriptIn(t, client+":"+o.site.Password+":otp+register+import\n", "secret", "api_clients")
	if nodes == 3 {
		o.deploy(t)
	}
	return o
}

// follow runs a block as a shell does, and says what it printed if it fails.
func (o *operator) follow(t *testing.T, block operations.Block) {
	t.Helper()
	check := o.prepare(t, block)
	began := time.Now()
	out, err := o.shell(t, block.Code)
	if err != nil {
		t.Fatalf("%v\n%s\nprinted\n%s", err, block.Code, out)
	}
	t.Logf("%.0f s\n%s%s", time.Since(began).Seconds(), block.Code, out)
	if o.running(t.Context(), "edge") != nil {
		o.settle(t)
		o.checkTold(t, nil)
	}
	check(t)
}

// prepare does what has to have happened before a block, and returns what else has
// to hold after it.
func (o *operator) prepare(t *testing.T, block operations.Block) (check func(*testing.T)) {
	t.Helper()
	switch code := block.Code; {
	case strings.Contains(code, "edge_cert"):
		return o.haveCertificate(t)
	case strings.Contains(code, "smtp_ca"):
		return o.haveRelay(t)
	case strings.Contains(code, "deploy/rotate"):
		return o.haveVisitors(t)
	case strings.Contains(code, "deploy/backup"):
		o.register(t, 3)
	case block.ThreeNodes:
		o.register(t, 1)
	case block.Section == "The end":
		o.register(t, 1)
		o.restores(t)
	}
	return func(*testing.T) {}
}

// haveVisitors has people come while a block is run. They are patient: a 503 that
// says when to come again is no failure.
func (o *operator) haveVisitors(t *testing.T) (check func(*testing.T)) {
	t.Helper()
	if err := o.site.List(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	plan := load.Usual()
	plan.Patient = true
	run := load.Start(t.Context(), o.site, o.crowd, plan)
	t.Cleanup(func() { run.Stop() }) // of a block that fails
	moment(t, run)
	return func(t *testing.T) {
		moment(t, run)
		report := run.Stop()
		for _, f := range report.Failures {
			t.Errorf("failed after %v", f)
		}
		t.Logf("%d requests, %d failed, %d asked to come later, %d people left, %d registered; longest gap %v",
			report.Requests, report.Failed, report.Later, report.Left, report.Registered, report.Gap.Round(time.Millisecond))
		o.checkTold(t, nil)
	}
}

// shell runs commands of the page in the operator's folder.
func (o *operator) shell(t *testing.T, code string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", o.says.Replace(code))
	cmd.Dir = o.folder
	cmd.Env = append(os.Environ(), o.env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// register has people register by the pages, who then must be there to the end.
func (o *operator) register(t *testing.T, n int) {
	t.Helper()
	o.registerIn(t, o.crowd, n)
	o.checkTold(t, nil)
}

func (o *operator) registerIn(t *testing.T, crowd *load.Crowd, n int) {
	t.Helper()
	if err := o.site.List(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	run := load.Start(t.Context(), o.site, crowd, load.Plan{})
	defer run.Stop()
	for range n {
		person := run.Visitor()
		if err := person.AskCode(t.Context()); err != nil {
			t.Fatalf("asks for a code: %v", err)
		}
		if err := person.Finish(t.Context()); err != nil {
			t.Fatalf("registers: %v", err)
		}
	}
}

// checkDocker fails the test for options that docker does not know.
func checkDocker(t *testing.T, o *operator, block operations.Block) {
	t.Helper()
	for _, c := range block.Commands() {
		if c[0] != "docker" || len(c.Flags()) == 0 {
			continue
		}
		var words []string // the command: docker node update
		for _, word := range c[1:] {
			if !regexp.MustCompile(`^[a-z-]+$`).MatchString(word) || strings.HasPrefix(word, "-") || len(words) == 2 {
				break
			}
			words = append(words, word)
		}
		help := o.docker(t, append(words, "--help")...)
		for _, flag := range c.Flags() {
			if !strings.Contains(help, flag) {
				t.Errorf("docker %s has no %s", strings.Join(words, " "), flag)
			}
		}
	}
}
