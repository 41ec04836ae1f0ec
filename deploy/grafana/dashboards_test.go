package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the dashboards")

// The files that Grafana reads are what the source says, and there are no others.
func TestDashboards_InTheFolder(t *testing.T) {
	t.Parallel()
	if *update {
		if err := write("dashboards"); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range all() {
		want, err := d.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("dashboards", d.UID+".json"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("dashboards/%s.json is not what the source says (%v): go run ./deploy/grafana", d.UID, err)
		}
	}
	files, err := filepath.Glob("dashboards/*")
	if err != nil || len(files) != len(all()) {
		t.Errorf("%d files for %d dashboards, %v", len(files), len(all()), err)
	}
}
