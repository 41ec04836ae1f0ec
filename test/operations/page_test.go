package operations_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"matriq/test/harness"
	"matriq/test/operations"
)

func TestMain(m *testing.M) { harness.Main(m) }

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func blocks(t *testing.T) []operations.Block {
	t.Helper()
	all, err := operations.Read(strings.NewReader(read(t, "docs/operations.md")))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("the page has %d blocks of commands", len(all))
	}
	return all
}

// A shell takes every block, and the operator's scripts know the options that they
// are given.
func TestPage_Commands(t *testing.T) {
	t.Parallel()
	help := map[string]string{}
	for _, b := range blocks(t) {
		cmd := exec.CommandContext(t.Context(), "bash", "-n")
		cmd.Stdin = strings.NewReader(b.Code)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("line %d: %v\n%s%s", b.Line, err, b.Code, out)
		}
		for _, c := range b.Commands() {
			if script := c[0]; strings.HasPrefix(script, "deploy/") {
				checkFlags(t, b, c, helpOf(t, help, script))
			}
		}
	}
}

// helpOf runs a script with --help, once.
func helpOf(t *testing.T, known map[string]string, script string) string {
	t.Helper()
	if known[script] == "" {
		out, err := exec.CommandContext(t.Context(), filepath.Join(root, script), "--help").CombinedOutput()
		if err != nil {
			t.Fatalf("%s --help: %v\n%s", script, err, out)
		}
		known[script] = string(out)
	}
	return known[script]
}

func checkFlags(t *testing.T, b operations.Block, c operations.Command, help string) {
	t.Helper()
	for _, flag := range c.Flags() {
		if !regexp.MustCompile(regexp.QuoteMeta(flag) + `\b`).MatchString(help) {
			t.Errorf("line %d: %s has no %s", b.Line, c[0], flag)
		}
	}
}

// What the page names is there: files, settings, sections.
func TestPage_Names(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/operations.md")
	for _, path := range regexp.MustCompile(`\bdeploy/[a-z]+[a-z/.]*[a-z]`).FindAllString(page, -1) {
		if path == "deploy/matriq.env" {
			continue // the operator makes it
		}
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Error(err)
		}
	}
	settings := read(t, "deploy/matriq.env.example") + read(t, "docs/settings.md") + "MATRIQ_ENV DOCKER_HOST"
	for _, name := range regexp.MustCompile("(?m)(?:`|^)([A-Z]+_[A-Z_]+)").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(settings, name[1]) {
			t.Errorf("there is no setting %s", name[1])
		}
	}
	anchors := anchorsOf(page)
	for _, link := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("there is no section %s", link[1])
		}
	}
}

// anchorsOf returns how the sections of a page are linked to.
func anchorsOf(page string) (anchors []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(plain, " ", "-"))
	}
	return anchors
}

func TestRead(t *testing.T) {
	t.Parallel()
	page := "# One\n```sh\na\nb\n```\n```ini\nc\n```\n## Two\n<!-- three nodes -->\n```sh\nd\n```\n<!-- not run: it is dear -->\n```sh\ne\n```\n"
	want := []operations.Block{
		{Line: 3, Section: "One", Code: "a\nb\n"},
		{Line: 12, Section: "Two", Code: "d\n", ThreeNodes: true},
		{Line: 16, Section: "Two", Code: "e\n", NotRun: "it is dear"},
	}
	got, err := operations.Read(strings.NewReader(page))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
}

func TestRead_Faults(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"no reason":        "<!-- not run: -->\n```sh\na\n```\n",
		"unknown remark":   "<!-- later -->\n",
		"before no block":  "<!-- three nodes -->\n\n```sh\na\n```\n",
		"before no sh":     "<!-- three nodes -->\n```text\na\n```\n",
		"block never ends": "```sh\na\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := operations.Read(strings.NewReader(page)); err == nil {
				t.Errorf("read %+v", got)
			}
		})
	}
}

func TestBlock_Commands(t *testing.T) {
	t.Parallel()
	b := operations.Block{Code: "a --x=1 'b | --c' | d --y z && e\nf $(g --h)\n"}
	got := fmt.Sprint(b.Commands())
	if want := "[[a --x=1 QUOTED] [d --y z] [e] [f] [g --h]]"; got != want {
		t.Errorf("commands %v, want %v", got, want)
	}
}
