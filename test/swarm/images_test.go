package swarm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"matriq/test/harness"
)

// buildImages makes all versions. Version two of ui is compiled with another
// stylesheet in the place of the one in the tree.
func (s *stack) buildImages(t *testing.T) {
	t.Helper()
	s.build(t, versionOne)
	s.build(t, versionTwo, "otp-gateway", "register-gateway", "otp", "email", "student", "enroll")
	s.env = append(s.env, "GOFLAGS=-overlay="+otherStylesheet(t))
	s.build(t, versionTwo, "ui")
	s.env = s.env[:len(s.env)-1]
	for _, version := range []string{versionSick, versionCrash} {
		s.buildBroken(t, version)
	}
}

// build makes images of programs, or of all, where every node finds them.
func (s *stack) build(t *testing.T, version string, programs ...string) {
	t.Helper()
	args := []string{"--tag", version}
	if len(s.swarm.Nodes) > 1 {
		args = append(args, "--push")
	}
	s.script(t, "build", append(args, programs...)...)
	s.checkSizes(t, version, programs...)
}

// What an image may take, in bytes. Caddy's own packages are most of the edge; see
// deploy/README.md.
const (
	largestService = 25_000_000
	largestEdge    = 45_000_000
)

// checkSizes fails the test for an image that is larger than it may be.
func (s *stack) checkSizes(t *testing.T, version string, programs ...string) {
	t.Helper()
	if len(programs) == 0 {
		programs = []string{"ui", "otp-gateway", "register-gateway", "otp", "email", "student", "enroll", "matriq", "edge"}
	}
	for _, program := range programs {
		size, err := strconv.Atoi(s.docker(t, "image", "inspect", "--format", "{{.Size}}", s.image(program, version)))
		if err != nil {
			t.Fatal(err)
		}
		most := largestService
		if program == "edge" {
			most = largestEdge
		}
		if size > most {
			t.Errorf("the image of %s has %.1f MB, and %d are allowed: go tool nm -size tells what is in it, go version -m what brought that in",
				program, float64(size)/1e6, most/1_000_000)
		}
	}
}

// otherStylesheet returns a file for go build -overlay.
func otherStylesheet(t *testing.T) string {
	t.Helper()
	own, err := filepath.Abs("../../services/ui/static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	css, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	other, overlay := filepath.Join(dir, "app.css"), filepath.Join(dir, "overlay.json")
	write(t, other, append(css, "\n"+otherColour+"\n"...))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {own: other}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, overlay, list)
	return overlay
}

// dockerfile is of an image that holds one program.
const dockerfile = "FROM scratch\nCOPY service /service\nUSER 65532:65532\nENTRYPOINT [\"/service\"]\n"

// buildBroken makes an image that does not work, and gives it the name of every
// service.
func (s *stack) buildBroken(t *testing.T, version string) {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(harness.PlainBinary(t, "matriq/test/swarm/cmd/"+version))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "Dockerfile"), []byte(dockerfile))
	write(t, filepath.Join(dir, "service"), program)
	if err := os.Chmod(filepath.Join(dir, "service"), 0o755); err != nil { //nolint:gosec // G302: others run it
		t.Fatal(err)
	}
	args := []string{"build", "--quiet"}
	for _, service := range ours() {
		args = append(args, "--tag", s.image(service, version))
	}
	s.docker(t, append(args, dir)...)
	if len(s.swarm.Nodes) > 1 {
		for _, service := range ours() {
			s.docker(t, "push", "--quiet", s.image(service, version))
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil { //nolint:gosec // G703: in the test's own folder
		t.Fatal(err)
	}
}
