// Package report makes one HTML page of what the bench has measured. The page
// needs nothing else: its plots are SVG, its style is in it, and it runs no script.
//
// A plot has a bar for each contender, as long as the median of the rounds, with a
// line from the least to the most and a dot for each round, so that one sees at
// once whether a difference is more than noise.
package report

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"matriq/bench/measure"
	"matriq/bench/stand"
)

//go:embed page.html
var page string

// Read returns the reports in a folder, in the order of names; those that are not
// named follow.
func Read(folder string, names []string) ([]measure.Report, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var reports []measure.Report
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // G304: the folder that was named
		if err != nil {
			return nil, err
		}
		var r measure.Report
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		reports = append(reports, r)
	}
	if len(reports) == 0 {
		return nil, errors.New("there is no report in " + folder + ": measure something first, with go run ./bench")
	}
	slices.SortStableFunc(reports, func(a, b measure.Report) int {
		return cmp.Compare(place(names, a.Row), place(names, b.Row))
	})
	return reports, nil
}

func place(names []string, row string) int {
	if i := slices.Index(names, row); i >= 0 {
		return i
	}
	return len(names)
}

// Write writes the page.
func Write(w io.Writer, reports []measure.Report) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"short": measure.Short, "plot": plot, "rest": rest, "day": func(t time.Time) string { return t.Format("2 January 2006 15:04 UTC") },
		"state": state, "foreign": func(r measure.Result) string { return measure.Short(measure.Median(r.Foreign)) },
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, map[string]any{"Reports": reports, "Settings": stand.Settings()})
}

// state is the class of a verdict.
func state(v measure.Verdict) string {
	switch {
	case v.Refused != "":
		return "refused"
	case v.Reached:
		return "reached"
	}
	return "missed"
}

// Geometry of a plot, in the units of its view.
const (
	width, nameWidth, barHeight, barGap = 720.0, 150.0, 16.0, 10.0
	numberWidth                         = 110.0
)

// bar is one contender's in a plot.
type bar struct {
	Name, Label      string
	Y, Middle        float64
	Width, Min, Max  float64
	Dots             []float64
	NameX, LabelX, H float64
}

// drawing is a plot of one figure.
type drawing struct {
	Title         string
	Width, Height float64
	Left          float64
	Bars          []bar
}

// plotted are the figures that are drawn, where there are any: how much was done,
// how long it took, and what it cost.
func plotted(name string) bool {
	return slices.Contains([]string{
		measure.Rate, measure.P99, measure.Served, measure.Allocs, "answer " + measure.P99, "goodput", "capacity", "memory", "took",
	}, name)
}

// plot draws the figures of a result that say most. A yardstick has another scale.
func plot(r measure.Result) []drawing {
	r.Contenders = slices.DeleteFunc(slices.Clone(r.Contenders), func(o measure.Outcome) bool { return o.Yardstick })
	var drawings []drawing
	for _, name := range figures(r) {
		if plotted(name) {
			drawings = append(drawings, draw(r, name))
		}
	}
	return drawings
}

// figures are the names of all figures, in their order.
func figures(r measure.Result) []string {
	var names []string
	for _, o := range r.Contenders {
		for _, f := range o.Figures {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

func draw(r measure.Result, name string) drawing {
	d := drawing{Width: width, Left: nameWidth}
	most := 0.0
	for _, o := range r.Contenders {
		if f, ok := r.Figure(o.Name, name); ok {
			most, d.Title = max(most, f.Max), strings.TrimSpace(f.Name+", "+f.Unit)
		}
	}
	scale := (width - nameWidth - numberWidth) / max(most, 1e-9)
	for _, o := range r.Contenders {
		f, ok := r.Figure(o.Name, name)
		if !ok {
			continue
		}
		y := barGap + float64(len(d.Bars))*(barHeight+barGap)
		b := bar{
			Name: o.Name, Label: measure.Short(f.Median), Y: y, Middle: y + barHeight/2, H: barHeight,
			Width: f.Median * scale, Min: nameWidth + f.Min*scale, Max: nameWidth + f.Max*scale,
			NameX: nameWidth - 8, LabelX: nameWidth + f.Max*scale + 8,
		}
		for _, n := range f.Rounds {
			b.Dots = append(b.Dots, nameWidth+n*scale)
		}
		d.Bars = append(d.Bars, b)
	}
	d.Height = barGap + float64(len(d.Bars))*(barHeight+barGap)
	return d
}

// row is a line of the table below the plots.
type row struct {
	Figure, Unit string
	Cells        []string
}

// rest are all figures as a table.
func rest(r measure.Result) []row {
	var rows []row
	for _, name := range figures(r) {
		line := row{Figure: name}
		for _, o := range r.Contenders {
			f, ok := r.Figure(o.Name, name)
			if !ok {
				line.Cells = append(line.Cells, "")
				continue
			}
			line.Unit = f.Unit
			line.Cells = append(line.Cells, fmt.Sprintf("%s (%s to %s)", measure.Short(f.Median), measure.Short(f.Min), measure.Short(f.Max)))
		}
		rows = append(rows, line)
	}
	return rows
}
