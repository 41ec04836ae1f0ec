package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// baseRecipe names how the base is made; another name has all images made anew.
const baseRecipe = "debootstrap minbase, 1"

// makeBase makes the image that all others are based on: the smallest Debian, of
// this machine's release and from this machine's mirror.
func makeBase(ctx context.Context, d docker) error {
	if got, err := d.run(ctx, "image", "inspect", "--format", `{{.Comment}}`, baseImage); err == nil && got == baseRecipe {
		return nil
	}
	return step("image "+baseImage+" by debootstrap", func() error { return bootstrap(ctx, d) })
}

func bootstrap(ctx context.Context, d docker) error {
	program, err := lookSystem("debootstrap")
	if err != nil {
		return err
	}
	from, err := packageSource(ctx)
	if err != nil {
		return err
	}
	root, err := os.MkdirTemp(home, "base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	cmd := exec.CommandContext(ctx, program, "--variant=minbase", "--include=ca-certificates", //nolint:gosec // G204: apt's own words
		"--components="+strings.Join(from.components, ","), from.suite, root, from.uri)
	// What it mounts and starts ends with it, also if it is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("debootstrap from %s: %w: %s", from.uri, err, lastLines(string(out)))
	}
	return importImage(ctx, d, root)
}

// importImage makes the base of a folder.
func importImage(ctx context.Context, d docker, root string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tar := exec.CommandContext(ctx, "tar", "--create", "--directory", root, //nolint:gosec // G204: a folder of the lab
		"--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", ".")
	files, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return err
	}
	if _, err := d.feed(ctx, files, "import", "--message", baseRecipe, "--change", `CMD ["/bin/sh"]`, "-", baseImage); err != nil {
		cancel()
		return errors.Join(err, tar.Wait())
	}
	return tar.Wait()
}

// lastLines is the end of what a program wrote.
func lastLines(text string) string {
	const some = 5
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-some):], "\n")
}
