package lab

import (
	"context"
	"os"
	"path/filepath"
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
		ids, err := d.fields(ctx, append(kind.list, "--filter", "label="+threeLabel)...)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			continue
		}
		if _, err := d.run(ctx, append(kind.remove, ids...)...); err != nil {
			return err
		}
	}
	return nil
}
