package report

import (
	"fmt"
	"math"
	"strings"

	"matriq/pkg/load"
)

// Sizes of a plot, in the units of its view box.
const (
	width, height = 960, 260
	left, right   = 64, 16
	above, below  = 14, 30
	mostColumns   = 480
	plotWidth     = width - left - right
	plotHeight    = height - above - below
	ticks         = 5
	leastLatency  = 0.1 // ms: where the scale of the times begins
)

// plot is one picture over the time of the run.
type plot struct {
	Title, About  string
	Width, Height int
	Lines         []line
	XTicks        []tick
	YTicks        []tick
	Hovers        []hover
	Left, Top     float64
	Bottom, Right float64
}

// line is one curve.
type line struct {
	Name, Class, Points string
}

// tick is a mark on an axis.
type tick struct {
	At    float64
	Label string
}

// hover is a column that tells its numbers.
type hover struct {
	X, Width float64
	Text     string
}

// curve is a line before it is drawn.
type curve struct {
	name, class string
	of          func(load.Second) float64
}

func plots(series []load.Second) []plot {
	series = merge(series)
	if len(series) == 0 {
		return nil
	}
	return []plot{
		draw(series, "Visits", "visits in a second", linear, []curve{
			{"due", "c1 thin", func(s load.Second) float64 { return float64(s.Due) }},
			{"done", "c2", func(s load.Second) float64 { return float64(s.Done) }},
			{"turned away", "c3", func(s load.Second) float64 { return float64(s.Later) }},
			{"failed", "c4", func(s load.Second) float64 { return float64(s.Failed) }},
		}),
		draw(series, "Answers", "times of the good answers of each second, on a logarithmic scale", logarithmic, []curve{
			{"p50", "c2", func(s load.Second) float64 { return s.Answers.P50 }},
			{"p95", "c3", func(s load.Second) float64 { return s.Answers.P95 }},
			{"p99", "c4", func(s load.Second) float64 { return s.Answers.P99 }},
		}),
		draw(series, "Under way", "visits that have begun and have not ended", linear, []curve{
			{"under way", "c1", func(s load.Second) float64 { return float64(s.UnderWay) }},
		}),
	}
}

// merge joins seconds until there is a column for each: the sums of what is
// counted become those of one second again, of times the longest is kept.
func merge(series []load.Second) []load.Second {
	each := (len(series) + mostColumns - 1) / mostColumns
	if each <= 1 {
		return series
	}
	var merged []load.Second
	for begin := 0; begin < len(series); begin += each {
		part := series[begin:min(begin+each, len(series))]
		s := part[len(part)-1]
		s.Due, s.Done, s.Later, s.Failed = 0, 0, 0, 0
		for _, one := range part {
			s.Due, s.Done, s.Later, s.Failed = s.Due+one.Due, s.Done+one.Done, s.Later+one.Later, s.Failed+one.Failed
			s.UnderWay = max(s.UnderWay, one.UnderWay)
			s.Answers.P50 = max(s.Answers.P50, one.Answers.P50)
			s.Answers.P95 = max(s.Answers.P95, one.Answers.P95)
			s.Answers.P99 = max(s.Answers.P99, one.Answers.P99)
		}
		n := len(part)
		s.Due, s.Done, s.Later, s.Failed = s.Due/n, s.Done/n, s.Later/n, s.Failed/n
		merged = append(merged, s)
	}
	return merged
}

// scale places a value between 0, at the bottom, and 1.
type scale struct {
	place func(v float64) float64
	ticks []tick
}

func draw(series []load.Second, title, about string, scaled func(highest float64) scale, curves []curve) plot {
	highest, last := 0.0, series[len(series)-1].At
	for _, s := range series {
		for _, c := range curves {
			highest = max(highest, c.of(s))
		}
	}
	axis := scaled(highest)
	p := plot{
		Title: title, About: about, Width: width, Height: height,
		Left: left, Top: above, Bottom: height - below, Right: width - right,
	}
	x := func(at float64) float64 { return round(left + at/last*plotWidth) }
	y := func(v float64) float64 { return round(above + (1-axis.place(v))*plotHeight) }
	for _, t := range axis.ticks {
		p.YTicks = append(p.YTicks, tick{y(t.At), t.Label})
	}
	for _, at := range steps(last) {
		p.XTicks = append(p.XTicks, tick{x(at), fmt.Sprintf("%g s", at)})
	}
	for _, c := range curves {
		var points strings.Builder
		for _, s := range series {
			fmt.Fprintf(&points, "%g,%g ", x(s.At), y(c.of(s)))
		}
		p.Lines = append(p.Lines, line{c.name, c.class, points.String()})
	}
	p.Hovers = hovers(series, curves, x)
	return p
}

func hovers(series []load.Second, curves []curve, x func(float64) float64) []hover {
	var all []hover
	before := x(0)
	for _, s := range series {
		var text strings.Builder
		fmt.Fprintf(&text, "%.0f s", s.At)
		for _, c := range curves {
			fmt.Fprintf(&text, "\n%s %.4g", c.name, c.of(s))
		}
		all = append(all, hover{before, round(x(s.At) - before), text.String()})
		before = x(s.At)
	}
	return all
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// steps are round numbers from 0 to at most highest.
func steps(highest float64) []float64 {
	if highest <= 0 {
		return []float64{0}
	}
	step := math.Pow(10, math.Floor(math.Log10(highest/ticks)))
	for _, f := range []float64{1, 2, 5, 10} {
		if highest/(step*f) <= ticks {
			step *= f
			break
		}
	}
	var all []float64
	for n := 0.0; n*step <= highest; n++ {
		all = append(all, n*step)
	}
	return all
}

func linear(highest float64) scale {
	highest = max(highest*1.05, 1)
	s := scale{place: func(v float64) float64 { return v / highest }}
	for _, v := range steps(highest) {
		s.ticks = append(s.ticks, tick{v, fmt.Sprintf("%g", v)})
	}
	return s
}

// logarithmic begins at a tenth of a millisecond.
func logarithmic(highest float64) scale {
	low, high := math.Log10(leastLatency), math.Ceil(math.Log10(max(highest, 10)))
	s := scale{place: func(v float64) float64 {
		return (math.Log10(max(v, leastLatency)) - low) / (high - low)
	}}
	for power := low; power <= high; power++ {
		v := math.Pow(10, power)
		s.ticks = append(s.ticks, tick{v, decade(v)})
	}
	return s
}

// decade writes a power of ten of milliseconds.
func decade(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.3g s", v/1000)
	}
	return fmt.Sprintf("%.4g ms", v)
}
