package main

import (
	"os"
	"strings"
	"testing"
)

const capacityPage = "../../docs/capacity.md"

// Every command in the page on capacity prints what stands below it there.
func TestPlan_IsInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(capacityPage)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```text\n$ matriq ")
	if len(parts) < 3 {
		t.Fatalf("the page has %d plans, want 2 or more", len(parts)-1)
	}
	page := parts[0]
	for _, part := range parts[1:] {
		command, rest, _ := strings.Cut(part, "\n")
		_, after, found := strings.Cut(rest, "```")
		out, errs, code := execute(t, strings.Fields(command)...)
		if code != 0 || !found {
			t.Fatalf("matriq %s: exit code %d: %s", command, code, errs)
		}
		page += "```text\n$ matriq " + command + "\n" + out + "```" + after
	}
	if page == string(text) {
		return
	}
	if !*update {
		t.Fatal("docs/capacity.md is not what the model says: run make docs and commit it")
	}
	if err := os.WriteFile(capacityPage, []byte(page), 0o600); err != nil { //nolint:gosec // a constant path
		t.Fatal(err)
	}
}

func TestPlan_Flags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"--help":                     {0, "A whole country in a minute"},
		"":                           {2, "--arrivals 0: write how many people come"},
		"now":                        {2, "Usage: matriq plan"},
		"--arrivals 1 --way by-foot": {2, "write pages or rest"},
		"--arrivals 1 --use 60":      {2, "such as 0.6"},
		"--arrivals 1":               {0, "Nobody waits"},
		"--arrivals 9 --mail-rate 1": {0, "The mail quota: admits 0.5"},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			out, errs, code := execute(t, append([]string{"plan"}, strings.Fields(args)...)...)
			if code != want.code || !strings.Contains(out+errs, want.says) {
				t.Errorf("exit code %d, want %d; says %q, want %q in it", code, want.code, out+errs, want.says)
			}
		})
	}
}
