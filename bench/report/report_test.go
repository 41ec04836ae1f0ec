package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"matriq/bench/measure"
	"matriq/bench/report"
)

func sample() measure.Report {
	figure := func(name string, rounds ...float64) measure.Figure {
		return measure.Figure{Name: name, Unit: "/s", Median: rounds[1], Min: rounds[0], Max: rounds[2], Rounds: rounds}
	}
	return measure.Report{Row: "rpc", Title: "RPC call", About: "a <b> & c", Results: []measure.Result{{
		Case: "16 at once",
		Contenders: []measure.Outcome{
			{Name: "matriq", Figures: []measure.Figure{figure("rate", 80, 90, 100)}},
			{Name: "raw", Figures: []measure.Figure{figure("rate", 90, 100, 120)}},
			{Name: "raw calls", Yardstick: true, Figures: []measure.Figure{figure("rate", 5000, 5001, 5002)}},
		},
		Verdicts: []measure.Verdict{
			{What: "rate", Got: 90, Bound: 85, Unit: "%", Reached: true},
			{What: "p99", Got: 200, Bound: 130, Unit: "%", AtMost: true},
			{What: "allocations", Refused: "foreign load 0.9 cores > 0.5"},
		},
		Foreign: []float64{0.1, 0.2, 0.3},
	}}}
}

// The page is well-formed, asks nobody for anything, and shows what was measured.
func TestWrite(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := report.Write(&page, []measure.Report{sample()}); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	counts, classes := map[string]int{}, map[string]int{}
	for n := range root.Descendants() {
		counts[n.Data]++
		for _, a := range n.Attr {
			switch {
			case a.Key == "src", a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
				t.Errorf("the page refers to %s", a.Val)
			case a.Key == "class":
				classes[a.Val]++
			}
		}
	}
	if counts["script"] != 0 || counts["svg"] != 1 || classes["bar"] != 2 || classes["dot"] != 6 {
		t.Errorf("%d scripts, %d plots, %d bars, %d dots; want 0, 1, 2 and 6", counts["script"], counts["svg"], classes["bar"], classes["dot"])
	}
	for _, class := range []string{"reached", "missed", "refused"} {
		if classes[class] != 2 {
			t.Errorf("%d verdicts are %s, want one in the list of all and one with its case", classes[class], class)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := report.Read(dir, nil); err == nil || !strings.Contains(err.Error(), "measure something first") {
		t.Errorf("an empty folder: %v", err)
	}
	for _, name := range []string{"cast", "journey", "rpc"} {
		r := sample()
		r.Row = name
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reports, err := report.Read(dir, []string{"rpc", "cast"})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range reports {
		order = append(order, r.Row)
	}
	if got := strings.Join(order, " "); got != "rpc cast journey" {
		t.Errorf("the rows are %s, want rpc cast journey", got)
	}
}
