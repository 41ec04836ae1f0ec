package security_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/licences.md")

// Threat: code that nobody chose, or that nobody may hand on, gets into an image.
// Promise: each module in an image has a version and a checksum that the module
// cache confirms; each has a licence that docs/licences.md names, all of which let
// the programs be handed on; and each image has its list of parts, an SBOM in
// CycloneDX, that names them all.
func TestSupply(t *testing.T) {
	t.Parallel()
	programs := []string{"ui", "otp-gateway", "register-gateway", "otp", "email", "student", "enroll", "matriq", "edge"}
	bin := t.TempDir()
	command(t, nil, "../../deploy/compile", append([]string{bin}, programs...)...)
	var paths []string
	for _, program := range programs {
		paths = append(paths, filepath.Join(bin, program))
	}
	table := command(t, []string{"GOWORK=off"}, "go", append([]string{"run", "-C", "../../tools/supply", ".", "licences"}, paths...)...)
	want := licencesHead + table
	const file = "../../docs/licences.md"
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // G306: a document
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/licences.md is not what the programs are made of (%v); make licences writes it", err)
	}
	for _, path := range paths {
		wantSBOM(t, path, table)
	}
}

const licencesHead = `# Licences

What the images are made of, beside Go itself (BSD-3-Clause). ` + "`make licences`" + ` writes this list
from the programs; ` + "`make sbom`" + ` writes one for each image, with checksums.

`

// wantSBOM fails the test unless the list of a program's parts is whole.
func wantSBOM(t *testing.T, path, table string) {
	t.Helper()
	var bom struct {
		Format     string `json:"bomFormat"`
		Components []struct {
			Name, Version string
			Hashes        []struct{ Content string }
			Licences      []struct{ License struct{ ID string } } `json:"licenses"`
		}
	}
	if err := json.Unmarshal([]byte(command(t, []string{"GOWORK=off"}, "go", "run", "-C", "../../tools/supply", ".", "sbom", path)), &bom); err != nil {
		t.Fatal(err)
	}
	linked := 1 // Go's own library
	for line := range strings.Lines(command(t, nil, "go", "version", "-m", path)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "dep" && !strings.HasPrefix(fields[1], "matriq/") {
			linked++
		}
	}
	if bom.Format != "CycloneDX" || len(bom.Components) != linked || linked < 2 {
		t.Errorf("the SBOM of %s has %d parts, the program %d", path, len(bom.Components), linked)
	}
	free := []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "CC0-1.0", "Unlicense"}
	for _, c := range bom.Components[1:] {
		if len(c.Hashes) != 1 || len(c.Licences) != 1 || !slices.Contains(free, c.Licences[0].License.ID) || !strings.Contains(table, "| "+c.Name+" | "+c.Version+" |") {
			t.Errorf("the SBOM of %s has %+v", path, c)
		}
	}
}

// command runs a program and returns what it prints.
func command(t *testing.T, settings []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), settings...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
