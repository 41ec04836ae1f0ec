package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// packaged is the docker command of Debian's package. Others on PATH may lack
// what it has: some build without BuildKit, which the Dockerfiles need.
const packaged = "/usr/bin/docker"

// docker is the docker command for one engine.
type docker struct {
	binary string
	host   string // "" is what the environment says
}

func findDocker() (docker, error) {
	if _, err := os.Stat(packaged); err == nil {
		return docker{binary: packaged}, nil
	}
	binary, err := exec.LookPath("docker")
	if err != nil {
		return docker{}, errors.New("docker is not installed: run tools/install swarm, as root")
	}
	return docker{binary: binary}, nil
}

// at is the same command for another engine.
func (d docker) at(host string) docker { return docker{binary: d.binary, host: host} }

// env leads a program to the engine.
func (d docker) env() []string {
	if d.host == "" {
		return nil
	}
	return []string{"DOCKER_HOST=" + d.host}
}

// run returns what docker writes, without the last newline. An error tells what
// it wrote to stderr.
func (d docker) run(ctx context.Context, args ...string) (string, error) {
	return d.feed(ctx, nil, args...)
}

// feed is run with an input.
func (d docker) feed(ctx context.Context, input io.Reader, args ...string) (string, error) {
	cmd := d.command(ctx, args...)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problem.String()))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func (d docker) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.binary, args...) //nolint:gosec // G204: the test's own words
	cmd.Env = append(append(os.Environ(), "DOCKER_BUILDKIT=1"), d.env()...)
	cmd.WaitDelay = 5 * time.Second // for what a killed command has started
	return cmd
}

// path is a PATH on which docker is this command.
func (d docker) path() (string, error) {
	dir := filepath.Join(home, "bin")
	link := filepath.Join(dir, "docker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.Symlink(d.binary, link); err != nil {
		return "", err
	}
	return dir + string(os.PathListSeparator) + os.Getenv("PATH"), nil //nolint:forbidigo // a test has no service.Env
}

// fields runs docker and returns the words that it writes.
func (d docker) fields(ctx context.Context, args ...string) ([]string, error) {
	out, err := d.run(ctx, args...)
	return strings.Fields(out), err
}
