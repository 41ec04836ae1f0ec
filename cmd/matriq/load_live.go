package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"matriq/cmd/matriq/load/report"
	loading "matriq/pkg/load"
)

// live shows a run while it lasts: a few lines that change on a terminal, and a
// line for each second elsewhere.
type live struct {
	w        io.Writer
	terminal bool
	plan     string
	whole    time.Duration // 0: not known
	drawn    int           // lines that are to be drawn over
	errors   map[loading.Kind]int
}

func newLive(w io.Writer, plan string, o loading.Options) *live {
	l := &live{w: w, plan: plan, whole: o.For, terminal: isTerminal(w), errors: map[loading.Kind]int{}}
	for _, g := range o.Groups {
		l.whole = g.After + g.RampUp
	}
	return l
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (l *live) begin(target string) {
	fmt.Fprintf(l.w, "%s at %s; Ctrl-C ends it with a report\n", l.plan, target)
}

// second shows one second.
func (l *live) second(s loading.Second) {
	for kind, n := range s.Errors {
		l.errors[kind] += n
	}
	if l.terminal {
		l.draw(s)
		return
	}
	fmt.Fprintf(l.w, "%4.0f s  due %d  done %d  later %d  failed %d  under way %d  p50 %s  p95 %s  p99 %s%s\n",
		s.At, s.Due, s.Done, s.Later, s.Failed, s.UnderWay, report.Milliseconds(s.Answers.P50), report.Milliseconds(s.Answers.P95), report.Milliseconds(s.Answers.P99), kinds(s.Errors))
}

func (l *live) draw(s loading.Second) {
	lines := []string{
		l.bar(s.At),
		fmt.Sprintf("  a second   due %d, done %d, turned away %d, failed %d", s.Due, s.Done, s.Later, s.Failed),
		fmt.Sprintf("  answers    p50 %s, p95 %s, p99 %s, longest %s", report.Milliseconds(s.Answers.P50), report.Milliseconds(s.Answers.P95), report.Milliseconds(s.Answers.P99), report.Milliseconds(s.Answers.Max)),
		fmt.Sprintf("  under way  %d", s.UnderWay),
		"  errors    " + strings.TrimPrefix(kinds(l.errors), " "),
	}
	if len(l.errors) == 0 {
		lines[4] = "  errors     none"
	}
	l.wipe()
	fmt.Fprintln(l.w, strings.Join(lines, "\n"))
	l.drawn = len(lines)
}

// wipe takes back what was drawn.
func (l *live) wipe() {
	if l.drawn > 0 {
		fmt.Fprintf(l.w, "\x1b[%dA\x1b[J", l.drawn)
	}
	l.drawn = 0
}

// barWidth is in characters.
const barWidth = 40

func (l *live) bar(at float64) string {
	whole := l.whole.Seconds()
	if at > whole {
		return fmt.Sprintf("  %s  %.0f s, waiting for those under way", strings.Repeat("█", barWidth), at)
	}
	full := int(at / whole * barWidth)
	return fmt.Sprintf("  %s%s  %.0f of %.0f s", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), at, whole)
}

// end leaves the screen to the summary.
func (l *live) end() { l.wipe() }

// kinds lists errors, the most frequent first.
func kinds(errors map[loading.Kind]int) string {
	var b strings.Builder
	order := slices.SortedFunc(maps.Keys(errors), func(a, b loading.Kind) int {
		if errors[a] != errors[b] {
			return errors[b] - errors[a]
		}
		return strings.Compare(string(a), string(b))
	})
	for _, kind := range order {
		fmt.Fprintf(&b, "  %s %d", kind, errors[kind])
	}
	return b.String()
}
