package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// cgroupParent holds the cgroups of the own engine and of each of its containers, side
// by side, as systemd has them. Then a container has as much of the processors as the
// engine with all that it starts others by. Without, the containers have together what
// one thread has, of the engine's or of the test program's: while many start, those
// that serve stand still.
const cgroupParent = "/matriq-lab"

// cgroupRoots are where processors are shared out, by cgroups of version 1 or 2.
func cgroupRoots() []string { return []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup"} }

// hasSystemd tells whether systemd shares the processors out here.
func hasSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// moveBeside gives the process of an engine a cgroup beside those of its containers.
func moveBeside(pid int) error {
	for _, root := range cgroupRoots() {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue // not mounted
		}
		own := filepath.Join(root, cgroupParent, "engine")
		if err := os.MkdirAll(own, 0o755); err != nil { //nolint:gosec // as the system's
			return err
		}
		if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("move the engine to %s: %w", own, err)
		}
		return nil
	}
	return errors.New("no cgroups are mounted at /sys/fs/cgroup")
}
