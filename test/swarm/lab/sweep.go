package lab

import "context"

// three is the label of all that three nodes are made of: containers, their
// volumes, their network.
const threeLabel = "matriq.lab.three"

// sweep removes what an earlier lab has made and, since it was killed, left. It
// leaves the images and the registry's volume, which has no label.
func sweep(ctx context.Context, d docker) error {
	if err := leaveOldSwarm(ctx, d); err != nil {
		return err
	}
	return removeThree(ctx, d)
}

func removeThree(ctx context.Context, d docker) error {
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "--all", "--quiet"}, []string{"rm", "--force", "--volumes"}},
		{[]string{"volume", "ls", "--quiet"}, []string{"volume", "rm", "--force"}},
		{[]string{"network", "ls", "--quiet"}, []string{"network", "rm"}},
	} {
		ids, err := d.fields(ctx, append(kind.list, "--filter", "label="+threeLabel)...)
		if err != nil || len(ids) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := d.run(ctx, append(kind.remove, ids...)...); err != nil {
			return err
		}
	}
	return nil
}
