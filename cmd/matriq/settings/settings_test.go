package settings_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"matriq/cmd/matriq/settings"
)

const page = "../../../docs/settings.md"

var update = flag.Bool("update", false, "write the table into docs/settings.md")

// The page in docs has the settings that the programs read.
func TestTable_IsInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), settings.Begin+"\n\n")
	_, after, ended := strings.Cut(rest, "\n"+settings.End)
	if !begun || !ended {
		t.Fatalf("docs/settings.md lacks the lines %q and %q", settings.Begin, settings.End)
	}
	want := before + settings.Begin + "\n\n" + settings.Table() + "\n" + settings.End + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("docs/settings.md is not what the programs read: run make docs and commit it")
	}
	if err := os.WriteFile(page, []byte(want), 0o600); err != nil { //nolint:gosec // G703: a constant path
		t.Fatal(err)
	}
}

// Every setting says what it is; operators have nothing else.
func TestTable_SaysWhatEachIs(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(settings.Table()) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if about := strings.TrimSuffix(cells[len(cells)-1], " |"); strings.TrimSpace(about) == "" {
			t.Errorf("no description: %s", line)
		}
	}
}
