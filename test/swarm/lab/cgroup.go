package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// cgroupParent holds the cgroups of the own engine and of each of its containers, side
// by side, as systemd has them. Then a container has as much of the processors as the
// engine with all that it starts others by. Without, the containers have together what
// one thread has, of the engine's or of the test program's: while many start, those
// that serve stand still.
const cgroupParent = "/matriq-lab"

// startBeside starts an engine in a cgroup beside those of its containers. Systemd does
// that by itself.
func startBeside(cmd *exec.Cmd) error {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return cmd.Start()
	}
	cmd.Args = append(cmd.Args, "--cgroup-parent", cgroupParent)
	own, err := engineCgroup()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := []byte(strconv.Itoa(cmd.Process.Pid))
	if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), pid, 0); err != nil {
		return errors.Join(fmt.Errorf("move the engine to %s: %w", own, err), cmd.Process.Kill())
	}
	return nil
}

// engineCgroup makes the folder of the engine's cgroup, of version 1 or 2, where
// processors are shared out.
func engineCgroup() (string, error) {
	for _, root := range []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			own := filepath.Join(root, cgroupParent, "engine")
			return own, os.MkdirAll(own, 0o755) //nolint:gosec // as the system's
		}
	}
	return "", errors.New("no cgroups are mounted at /sys/fs/cgroup")
}
