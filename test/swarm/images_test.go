package swarm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
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
