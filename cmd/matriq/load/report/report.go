// Package report writes the result of matriq load as one HTML page with its plots
// in it: nothing is loaded from elsewhere, no script runs, and it follows the
// reader's light or dark.
package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"time"

	"matriq/pkg/load"
)

//go:embed report.html
var source string

// Page is what a report tells.
type Page struct {
	Result *load.Result
	// Target is what was visited, without passwords.
	Target string
	Limits []Limit
	// Advice are sentences about what went wrong.
	Advice []string
}

// Limit is one that the run had to keep.
type Limit struct {
	Name, Want, Got string
	Kept            bool
}

// view is what the template sees.
type view struct {
	Page
	Plots []plot
	Rows  []row
	Began string
}

// row is a line of the table of times.
type row struct {
	Name string
	Step bool
	load.Latency
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"ms": Milliseconds, "published": published, "percent": percent}).Parse(source)
	if err != nil {
		return fmt.Errorf("the report's template: %w", err)
	}
	r := p.Result
	rows := []row{{"Visits done", false, r.Visit}, {"Good answers", false, r.Answers}}
	if r.TurnedAway.Count > 0 {
		rows = append(rows, row{"Turned away", false, r.TurnedAway})
	}
	for _, s := range r.Steps {
		rows = append(rows, row{s.Name, true, s.Good})
	}
	return t.Execute(w, view{Page: p, Plots: plots(r.Series), Rows: rows, Began: r.Began.Format(time.RFC1123)})
}

// Milliseconds writes them with three digits that count.
func Milliseconds(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.1f s", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f ms", v)
	case v >= 10:
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.2f ms", v)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", share*100) }

// published is what the article tells of its i-th group.
func published(i int) load.PublishedGroup { return load.Published()[i] }
