// Package rows has what the bench measures, a row each: its contenders, its cases
// and its targets.
package rows

import (
	"context"
	"fmt"
	"time"

	"matriq/bench/child"
	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/bench/stand"
)

// Bench is what a row has to work with.
type Bench struct {
	Stand *stand.Stand
	Plan  measure.Plan
	// Quick is for a run that only shows that everything works: the fewest cases,
	// for no time worth a number.
	Quick bool
}

// Row is one line of the table of targets.
type Row struct {
	// Name is what --rows calls it.
	Name, Title string
	// About says how the numbers are made.
	About string
	// Slow rows run only when they are named.
	Slow bool
	// Measure measures all cases; each is told as it is known.
	Measure func(ctx context.Context, b Bench, tell func(measure.Result)) error
}

// All are the rows in the order in which they are measured.
func All() []Row {
	return []Row{calls(), casts(), pages(), posted(), journeys(), pageJourneys(), rush(), millions(), imports(), atRest(), soak()}
}

// pick returns all, or in a quick run the first one.
func pick[T any](b Bench, all ...T) []T {
	if b.Quick {
		return all[:1]
	}
	return all
}

// compare measures one case and tells the result.
func compare(ctx context.Context, b Bench, c measure.Case, tell func(measure.Result)) error {
	result, err := b.Plan.Measure(ctx, c)
	if err != nil {
		return err
	}
	tell(result)
	return nil
}

// opened starts a helper and has it connect.
func opened(ctx context.Context, b Bench, role, name, url string) (*child.Child, error) {
	c, err := b.Stand.Child(role, name)
	if err != nil {
		return nil, err
	}
	return c, c.Ask(ctx, peer.AskOpen, url, nil)
}

// mallocs is how many objects the helpers have allocated so far.
func mallocs(ctx context.Context, helpers ...*child.Child) (all uint64, err error) {
	for _, c := range helpers {
		var n uint64
		if err := c.Ask(ctx, peer.AskMallocs, struct{}{}, &n); err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// runOf has a helper run; in the sample is also what the beside helpers allocate.
func runOf(ctx context.Context, c *child.Child, run peer.Run, beside ...*child.Child) (measure.Sample, error) {
	before, err := mallocs(ctx, beside...)
	if err != nil {
		return measure.Sample{}, err
	}
	var s measure.Sample
	if err := c.Ask(ctx, peer.AskRun, run, &s); err != nil {
		return s, err
	}
	after, err := mallocs(ctx, beside...)
	if err != nil {
		return s, err
	}
	for i := range s.Values {
		if s.Values[i].Name == measure.Allocs {
			s.Values[i].Number += float64(after-before) / float64(s.Count)
		}
	}
	return s, nil
}

// contender runs a helper with users and bodies of a size.
func contender(name string, users, bytes int, c *child.Child, beside ...*child.Child) measure.Contender {
	return measure.Contender{Name: name, Run: func(ctx context.Context, length time.Duration) (measure.Sample, error) {
		return runOf(ctx, c, peer.Run{Users: users, Bytes: bytes, Length: length}, beside...)
	}}
}

// size writes a number of bytes.
func size(bytes int) string {
	if bytes%1024 == 0 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}
