package ui_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func messages(t *testing.T, lang string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("messages", lang+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Both languages have the same keys, each with the same values to fill in.
func TestLanguagesHaveTheSameMessages(t *testing.T) {
	t.Parallel()
	th, en := messages(t, "th"), messages(t, "en")
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if strings.TrimSpace(en[key]) == "" || strings.TrimSpace(th[key]) == "" {
			t.Errorf("%q is missing or empty", key)
		}
		values := regexp.MustCompile(`\{\w+\}`)
		a, b := values.FindAllString(en[key], -1), values.FindAllString(th[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%q takes %v in English and %v in Thai", key, a, b)
		}
		if !regexp.MustCompile(`\p{Thai}`).MatchString(th[key]) {
			t.Errorf("%q is not in Thai: %q", key, th[key])
		}
	}
	for key := range th {
		if _, ok := en[key]; !ok {
			t.Errorf("%q is missing in English", key)
		}
	}
}

// Every message is used, and every message that is used exists.
func TestMessagesAreUsed(t *testing.T) {
	t.Parallel()
	en, source := messages(t, "en"), sources(t)
	made := regexp.MustCompile(`^(fault|note|problem|step|progress)\.`)
	for key := range en {
		name := strings.TrimSuffix(strings.TrimSuffix(made.ReplaceAllString(key, ""), ".title"), ".text")
		used := strings.Contains(source, `"`+key+`"`)
		if made.MatchString(key) && !used {
			used = strings.Contains(source, `"`+name+`"`) || regexp.MustCompile(`^(step\.[1-4]|progress\.(true|false)|note\.ended)$`).MatchString(key)
		}
		if !used {
			t.Errorf("message %q is used nowhere", key)
		}
	}
	for _, m := range regexp.MustCompile(`\{\{(?:t|countdown) "([^"]+)"`).FindAllStringSubmatch(source, -1) {
		if en[m[1]] == "" {
			t.Errorf("a template asks for %q, which does not exist", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*(reason|note)\w+\s+= "(\w+)"`).FindAllStringSubmatch(source, -1) {
		prefix := map[string]string{"reason": "fault.", "note": "note."}[m[1]]
		if en[prefix+m[2]] == "" {
			t.Errorf("message %q does not exist", prefix+m[2])
		}
	}
	for _, m := range regexp.MustCompile(`problem\{(?:status: )?http\.\w+, (?:name: )?"(\w+)"\}`).FindAllStringSubmatch(source, -1) {
		if en["problem."+m[1]+".title"] == "" || en["problem."+m[1]+".text"] == "" {
			t.Errorf("the page of problem %q has no text", m[1])
		}
	}
}

// sources is all code and all templates in one.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".html") {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // G304: a file of this package
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
