// Package deploy_test holds what the files in deploy/ say of each other, and of the
// programs, to the truth. That they work is shown by package swarm, which deploys
// them.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const folder = "../../deploy"

func TestEverySettingOfTheStackIsExplained(t *testing.T) {
	t.Parallel()
	example := read(t, "matriq.env.example")
	explained := names(example, `(?m)^#?([A-Z][A-Z0-9_]*)=`)
	scripts := ""
	for _, name := range commands(t) {
		scripts += read(t, name)
	}
	for _, lib := range glob(t, "lib/*.sh") {
		scripts += read(t, lib)
	}
	var used []string
	for _, stack := range glob(t, "*.yml") {
		used = append(used, names(read(t, stack), `\$\{([A-Z][A-Z0-9_]*)`)...)
	}
	for _, name := range used {
		if !slices.Contains(explained, name) && !computed(name) {
			t.Errorf("%s is used and not in matriq.env.example", name)
		}
	}
	for _, name := range explained {
		if !slices.Contains(used, name) && !strings.Contains(scripts, name) {
			t.Errorf("%s is in matriq.env.example and nothing uses it", name)
		}
	}
}

// computed is true for what the commands set by themselves.
func computed(name string) bool {
	return regexp.MustCompile(`^(STACK|REGISTRATION|LIKE_THIS|(IMAGE|CONFIG|SECRET)_.*)$`).MatchString(name)
}

// Defaults are in the programs alone: the example repeats them for its readers.
func TestTheExampleSaysTheProgramsDefaults(t *testing.T) {
	t.Parallel()
	settings, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (?:`([^`]*)`)? \\|").FindAllStringSubmatch(string(settings), -1)
	compared := 0
	for _, line := range regexp.MustCompile(`(?m)^#([A-Z][A-Z0-9_]*)=(.*)$`).FindAllStringSubmatch(read(t, "matriq.env.example"), -1) {
		if line[1] == "PUBLIC_ORIGIN" || line[1] == "MAIL_FROM" {
			continue // the operator's own
		}
		for _, row := range rows {
			if row[1] != line[1] {
				continue
			}
			compared++
			if row[2] != line[2] {
				t.Errorf("%s is %q in matriq.env.example; the programs' default is %q", line[1], line[2], row[2])
			}
		}
	}
	if compared < 15 {
		t.Errorf("only %d settings were compared: has the form of one of the files changed?", compared)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	for _, name := range commands(t) {
		if name == "compile" {
			continue // only deploy/build and the Dockerfile call it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), filepath.Join(folder, name), "--help").Output()
			if err != nil || !strings.HasPrefix(string(out), "Usage: deploy/"+name) {
				t.Errorf("deploy/%s --help: %v\n%s", name, err, out)
			}
		})
	}
}

// commands are the scripts that an operator runs.
func commands(t *testing.T) (all []string) {
	t.Helper()
	for _, name := range glob(t, "*") {
		if strings.HasPrefix(read(t, name), "#!") {
			all = append(all, name)
		}
	}
	if len(all) < 6 {
		t.Fatalf("only %v are commands", all)
	}
	return all
}

func glob(t *testing.T, pattern string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			found = append(found, strings.TrimPrefix(path, folder+"/"))
		}
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// names are the first groups of all matches, each once.
func names(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}
