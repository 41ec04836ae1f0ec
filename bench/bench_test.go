package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"matriq/bench/child"
	"matriq/pkg/testenv"
)

// TestMain is the bench as well: it starts its helpers from its own program.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == child.Argument {
		main()
	}
	os.Exit(m.Run())
}

// Rows work, from their servers to their tables, so that the bench does not rot
// between two measurements. Those that are left out differ from these in how long
// they take, and in little else.
func TestQuick(t *testing.T) {
	t.Parallel()
	testenv.Installed(t)
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if code := run(t.Context(), []string{"--quick", "--rows", "rpc,cast,page,posted,million"}, os.Stdin, &out, &progress); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, &progress, &out)
	}
	for _, shown := range []string{"RPC call\n", "Confirmed cast\n", "First page\n", "code given p99", "1000 of each", "CPU mariadb"} {
		if !strings.Contains(out.String(), shown) {
			t.Errorf("nothing of %q in\n%s", shown, &out)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"--help":              {0, "rpc      RPC call"},
		"--rows rpc,nonsense": {2, `there is no row "nonsense"`},
		"--rounds 0":          {2, "--rounds 0 is not 1 or more"},
		"--length soon":       {2, "--length soon is no duration"},
		"rpc":                 {2, `"rpc" is no flag`},
		"--unheard":           {2, "flag provided but not defined"},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out, said bytes.Buffer
			if code := run(t.Context(), strings.Fields(args), os.Stdin, &out, &said); code != want.code || !strings.Contains(said.String(), want.says) {
				t.Errorf("exit code %d, want %d, and %q in:\n%s", code, want.code, want.says, &said)
			}
		})
	}
}
