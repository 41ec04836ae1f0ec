package measure

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// WriteTable writes r for a terminal: a line for each contender with the medians,
// the least and the most of the first figure, then the verdicts.
func (r *Result) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n", r.Case)
	table := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, o := range r.Contenders {
		cells := []string{"", o.Name}
		for i, f := range o.Figures {
			text := fmt.Sprintf("%s %s %s", f.Name, Short(f.Median), f.Unit)
			if i == 0 && len(f.Rounds) > 1 {
				text += fmt.Sprintf(" (%s to %s)", Short(f.Min), Short(f.Max))
			}
			cells = append(cells, text)
		}
		if o.Errors > 0 {
			cells = append(cells, fmt.Sprintf("%d errors", o.Errors))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, "  "+note)
	}
	for _, v := range r.Verdicts {
		fmt.Fprintln(w, "  "+v.String())
	}
	return nil
}

// Short writes a number with three digits, or whole where it has more.
func Short(n float64) string {
	switch size := math.Abs(n); {
	case size >= 100 || n == math.Trunc(n):
		return fmt.Sprintf("%.0f", n)
	case size >= 10:
		return fmt.Sprintf("%.1f", n)
	case size >= 1:
		return fmt.Sprintf("%.2f", n)
	default:
		return fmt.Sprintf("%.3f", n)
	}
}
