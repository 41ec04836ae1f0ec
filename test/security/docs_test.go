package security_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// Each threat that docs/security.md names has a test, each test that it names
// exists, and each test that is here is named there.
func TestDocs(t *testing.T) {
	t.Parallel()
	text := readFile(t, "../../docs/security.md")
	var named []string
	rows := 0
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[0]) == "threat" {
			continue
		}
		rows++
		const threat, test, columns = 0, 3, 4
		if len(cells) != columns {
			t.Errorf("a row of %d cells, want %d: %s", len(cells), columns, line)
			continue
		}
		named = append(named, wantTests(t, strings.TrimSpace(cells[threat]), cells[test])...)
	}
	if few := 40; rows < few {
		t.Errorf("%d threats were found, want %d or more", rows, few)
	}
	for _, name := range testsHere(t) {
		if name != "TestSystem" && name != "TestEdge" && !slices.ContainsFunc(named, func(other string) bool { return other == name || strings.HasPrefix(other, name+"/") }) {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("docs/security.md does not name %s", name)
			}
		}
	}
}

// wantTests fails the test unless the last cell of a threat names tests, all of
// which exist; it returns those of this package.
func wantTests(t *testing.T, threat, cell string) (here []string) {
	t.Helper()
	folder, found := ".", 0
	for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
		name := match[1]
		base, sub, _ := strings.Cut(name, "/")
		switch {
		case strings.HasPrefix(name, "Test"), strings.HasPrefix(name, "Fuzz"):
			found++
			if base == "TestSystem" || base == "TestEdge" {
				folder = "."
			}
			if !slices.Contains(testsIn(t, folder), base) {
				t.Errorf("%s: there is no %s in %s", threat, base, folder)
			}
			if folder == "." {
				here = append(here, name)
				wantSubtest(t, threat, sub)
			}
		case strings.HasPrefix(name, "/"): // of the test before
			wantSubtest(t, threat, name[1:])
		case strings.HasSuffix(name, ".go"):
			found++
			if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
				t.Errorf("%s: %v", threat, err)
			}
		case strings.HasPrefix(name, "tools/"), strings.HasPrefix(name, "make "):
			found++
		case strings.Contains(name, "/"):
			folder = filepath.Join("../..", name)
		}
	}
	if found == 0 && !strings.Contains(cell, "the same") {
		t.Errorf("%s: no test", threat)
	}
	return here
}

// wantSubtest fails the test unless a part of a test of this package has that
// name.
func wantSubtest(t *testing.T, threat, name string) {
	t.Helper()
	if name != "" && !strings.Contains(sources(t, "."), `"`+name+`"`) {
		t.Errorf("%s: there is no test %s", threat, name)
	}
}

// testsHere are the tests of this package, and the trials of those that share a
// system.
func testsHere(t *testing.T) []string {
	t.Helper()
	all := testsIn(t, ".")
	for _, trial := range trials() {
		all = append(all, "TestSystem/"+trial.name)
	}
	for _, trial := range edgeTrials() {
		all = append(all, "TestEdge/"+trial.name)
	}
	return slices.DeleteFunc(all, func(name string) bool { return name == "TestMain" || name == "TestDocs" })
}

func testsIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	for _, match := range declared.FindAllStringSubmatch(sources(t, folder), -1) {
		names = append(names, match[1])
	}
	return names
}

// sources are all tests of a folder in one text.
func sources(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", folder, err)
	}
	var all strings.Builder
	for _, file := range files {
		all.WriteString(readFile(t, file))
	}
	return all.String()
}
