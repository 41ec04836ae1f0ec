package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// threeLabel is the label of all that three nodes are made of: containers, their
// volumes, their network.
const threeLabel = "matriq.lab.three"

// sweep removes what an earlier lab has made and, since it was killed, left. It
// leaves the images and the registry's volume, which has no label.
func sweep(ctx context.Context, d docker) error {
	for _, pattern := range []string{"base-*", "recipe-*"} {
		if err := removeFiles(filepath.Join(home, pattern)); err != nil {
			return err
		}
	}
	if err := leaveOldSwarm(ctx, d); err != nil {
		return err
	}
	return removeThree(ctx, d)
}

// removeTasks removes the containers of a swarm that is no more, see [forget].
func removeTasks(ctx context.Context, d docker) error {
	return removeLabelled(ctx, d, "com.docker.swarm.task",
		[]string{"ps", "--all", "--quiet"}, []string{"rm", "--force", "--volumes"})
}

// removeLabelled removes what the command list names of what has the label.
func removeLabelled(ctx context.Context, d docker, label string, list, remove []string) error {
	ids, err := d.fields(ctx, append(list, "--filter", "label="+label)...)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = d.run(ctx, append(remove, ids...)...)
	return err
}

func removeFiles(pattern string) error {
	left, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

func removeThree(ctx context.Context, d docker) error {
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "--all", "--quiet"}, []string{"rm", "--force", "--volumes"}},
		{[]string{"volume", "ls", "--quiet"}, []string{"volume", "rm", "--force"}},
		{[]string{"network", "ls", "--quiet"}, []string{"network", "rm"}},
	} {
		if err := removeLabelled(ctx, d, threeLabel, kind.list, kind.remove); err != nil {
			return err
		}
	}
	return nil
}

// forget has the own engine begin without the swarm and the networks of one that was
// killed. It would start the tasks of that swarm while it is told to leave it, and knows
// no more whose the networks are: the next stack would be given their VXLANs, and none of
// its containers could start.
func forget(ctx context.Context) error {
	if err := unmountAll(filepath.Join(execRoot, "netns")); err != nil {
		return fmt.Errorf("remove the namespaces of an earlier run: %w", err)
	}
	if err := removeVXLANs(ctx); err != nil {
		return fmt.Errorf("remove the VXLANs of an earlier run: %w", err)
	}
	for _, state := range []string{"data/swarm", "data/network"} {
		if err := os.RemoveAll(ownFile(state)); err != nil {
			return err
		}
	}
	return nil
}

// removeVXLANs removes those that never came into the namespace they were made for.
func removeVXLANs(ctx context.Context) error {
	left, err := filepath.Glob("/sys/class/net/vx-*")
	if err != nil || len(left) == 0 {
		return err
	}
	ip, err := lookSystem("ip")
	if err != nil {
		return err
	}
	for _, path := range left {
		out, err := exec.CommandContext(ctx, ip, "link", "delete", filepath.Base(path)).CombinedOutput() //nolint:gosec // the system's
		if err != nil {
			return fmt.Errorf("%s: %w: %s", path, err, out)
		}
	}
	return nil
}

// unmountAll removes the files of dir, on which namespaces may be mounted. A namespace
// ends with the last process in it.
func unmountAll(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("unmount %s: %w", path, err) // EINVAL: none is mounted there
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
