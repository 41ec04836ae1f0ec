package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// errWithdrawn means that a program has a module whose author took it back.
var errWithdrawn = errors.New("a version was retracted by its author: take another")

// standing is what the module proxy knows of a version.
type standing struct {
	Path, Version string
	// Retracted are the author's reasons to take it back.
	Retracted  []string
	Deprecated string
	Error      *struct{ Err string }
}

// writeWithdrawn asks the module proxy about each module, writes down those that
// were retracted, are deprecated, or that it does not tell about, and fails for the
// first kind.
func writeWithdrawn(w io.Writer, modules []module) error {
	all, err := standings(modules)
	if err != nil {
		return err
	}
	told, retracted := 0, 0
	for _, s := range all {
		switch {
		case len(s.Retracted) > 0:
			retracted++
			fmt.Fprintf(w, "retracted: %s@%s: %s\n", s.Path, s.Version, strings.Join(s.Retracted, "; "))
		case s.Deprecated != "":
			fmt.Fprintf(w, "deprecated: %s@%s: %s\n", s.Path, s.Version, s.Deprecated)
		case s.Error != nil:
			fmt.Fprintf(w, "not known: %s@%s: %s\n", s.Path, s.Version, s.Error.Err)
			continue
		}
		told++
	}
	fmt.Fprintf(w, "%d of %d modules were asked about, %d are retracted\n", told, len(modules), retracted)
	if retracted > 0 {
		return errWithdrawn
	}
	return nil
}

func standings(modules []module) (all []standing, err error) {
	args := []string{"list", "-m", "-e", "-u", "-retracted", "-json=Path,Version,Retracted,Deprecated,Error"}
	for _, m := range modules {
		args = append(args, m.String())
	}
	cmd := exec.Command("go", args...) //nolint:gosec,noctx // modules of programs of ours, and the program's end is its end
	cmd.Dir, cmd.Env, cmd.Stderr = os.TempDir(), append(os.Environ(), "GOWORK=off"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ask the module proxy: %w", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var s standing
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		all = append(all, s)
	}
}
