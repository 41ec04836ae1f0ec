package monitoring_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dashboard is what is checked of Grafana's JSON.
type dashboard struct {
	UID         string
	Title       string
	Description string
	Templating  struct {
		List []struct{ Name, Type string }
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  struct{ UID string }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	GridPos struct{ X, Y, W, H int }
	Targets []struct {
		RefID      string
		Expr       string
		Datasource struct{ UID string }
	}
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(deployed(t, "grafana/dashboards/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	var all []dashboard
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// Grafana takes a dashboard with a fault and shows less, so the form is checked
// here.
func TestDashboards_Form(t *testing.T) {
	t.Parallel()
	const source = "${datasource}"
	var uids []string
	for _, d := range dashboards(t) {
		if d.UID == "" || d.Title == "" || d.Description == "" || slices.Contains(uids, d.UID) {
			t.Errorf("dashboard %q: uid, title or description is missing or not its own", d.UID)
		}
		uids = append(uids, d.UID)
		if len(d.Templating.List) == 0 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Type != "datasource" {
			t.Errorf("%s does not let one choose the data source", d.Title)
		}
		var ids []int
		for _, p := range d.Panels {
			if p.ID == 0 || p.Title == "" || slices.Contains(ids, p.ID) {
				t.Errorf("%s: panel %d %q: id or title is missing or not its own", d.Title, p.ID, p.Title)
			}
			ids = append(ids, p.ID)
			if p.Type == "row" {
				continue
			}
			if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != source || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q: description, unit, data source or query is missing", d.Title, p.Title)
			}
			var refs []string
			for _, q := range p.Targets {
				if q.Expr == "" || q.Datasource.UID != source || slices.Contains(refs, q.RefID) {
					t.Errorf("%s: panel %q: query %s is empty, of another data source, or not its own", d.Title, p.Title, q.RefID)
				}
				refs = append(refs, q.RefID)
			}
		}
		overlap(t, d)
	}
}

// overlap fails the test when two panels cover each other, or one leaves the page.
func overlap(t *testing.T, d dashboard) {
	t.Helper()
	for i, p := range d.Panels {
		a := p.GridPos
		if a.W < 1 || a.H < 1 || a.X+a.W > 24 {
			t.Errorf("%s: panel %q is off the page: %+v", d.Title, p.Title, a)
		}
		for _, q := range d.Panels[:i] {
			b := q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s: panels %q and %q cover each other", d.Title, p.Title, q.Title)
			}
		}
	}
}

// question is one query of one panel, as Grafana would ask it.
type question struct {
	where string // dashboard and panel
	expr  string
}

// questions are the queries of all panels, with their variables filled in.
func questions(t *testing.T) []question {
	t.Helper()
	fill := strings.NewReplacer("$__rate_interval", "5s", "$__range", "5m", "$job", ".*")
	var all []question
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				expr := fill.Replace(q.Expr)
				if strings.Contains(expr, "$") {
					t.Fatalf("%s: %s: a variable is left in %s", d.Title, p.Title, expr)
				}
				all = append(all, question{where: d.Title + ": " + p.Title, expr: expr})
			}
		}
	}
	return all
}
