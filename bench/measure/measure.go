// Package measure sets contenders against each other and says what came of it.
//
// A [Case] has contenders that do the same thing in different ways. They run in
// turn, A B C, C B A, A B C …, a round each time, so that what changes slowly on
// the machine meets all of them alike, and a ratio is taken within a round before
// the median is taken over the rounds. A round during which programs that are not
// the bench's used more than half a core is thrown away and repeated; when there
// are too many of those, the last ones count and every verdict of the case is
// refused.
//
// Not promised: that numbers of two machines can be compared, or of two runs
// between which the machine had other work. Ratios within a case are what a
// verdict is about.
package measure

import (
	"context"
	"fmt"
	"slices"
	"time"

	"matriq/bench/procfs"
)

// MostForeign is how many cores the rest of the machine may use in a round.
const MostForeign = 0.5

// Contender does the thing for about as long as it is told.
type Contender struct {
	Name string
	// Yardstick marks one that does something else, to tell what the machine gives in
	// the same minutes.
	Yardstick bool
	Run       func(ctx context.Context, length time.Duration) (Sample, error)
}

// Case is one comparison, and what it has to show.
type Case struct {
	Name       string
	Contenders []Contender
	Targets    []Target
}

// Plan says how cases are measured.
type Plan struct {
	Rounds int
	// Length is how long a contender runs in a round, WarmUp before the first; 0:
	// not at all.
	Length, WarmUp time.Duration
	// Repeats is how many rounds of a case may be repeated because they were
	// disturbed.
	Repeats int
	// Names are the processes of the bench.
	Names func() procfs.Names
	// Say tells what is going on; it is overwritten by the next one.
	Say func(string)
}

// Measure runs the rounds of c.
func (p Plan) Measure(ctx context.Context, c Case) (Result, error) {
	r := newResult(c)
	if err := p.warm(ctx, c, &r); err != nil {
		return Result{}, fmt.Errorf("%s: warm up %w", c.Name, err)
	}
	for len(r.Foreign) < p.Rounds {
		round, err := p.round(ctx, c, len(r.Foreign))
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", c.Name, err)
		}
		r.Operations += round.operations()
		if round.foreign > MostForeign && r.Disturbed < p.Repeats {
			r.Disturbed++
			p.Say(fmt.Sprintf("%s: foreign load %.1f cores (%s), the round is repeated", c.Name, round.foreign, round.busiest))
			continue
		}
		r.add(round)
	}
	r.judge(c.Targets)
	return r, nil
}

func (p Plan) warm(ctx context.Context, c Case, r *Result) error {
	if p.WarmUp == 0 {
		return nil
	}
	for _, contender := range c.Contenders {
		p.Say(fmt.Sprintf("%s: %s warms up", c.Name, contender.Name))
		sample, err := contender.Run(ctx, p.WarmUp)
		if err != nil {
			return fmt.Errorf("%s: %w", contender.Name, err)
		}
		r.Operations += sample.Count
	}
	return nil
}

// round is what the contenders did, in the order of the case.
type round struct {
	samples []Sample
	foreign float64 // cores, of the contender that was disturbed most
	busiest string
}

func (r round) operations() (n int) {
	for _, s := range r.samples {
		n += s.Count
	}
	return n
}

func (p Plan) round(ctx context.Context, c Case, number int) (round, error) {
	r := round{samples: make([]Sample, len(c.Contenders))}
	order := make([]int, len(c.Contenders))
	for i := range order {
		order[i] = i
	}
	if number%2 == 1 {
		slices.Reverse(order)
	}
	for _, i := range order {
		contender := c.Contenders[i]
		p.Say(fmt.Sprintf("%s: round %d of %d, %s", c.Name, number+1, p.Rounds, contender.Name))
		sample, usage, err := p.watched(ctx, contender)
		if err != nil {
			return round{}, fmt.Errorf("%s: %w", contender.Name, err)
		}
		r.samples[i] = sample
		if foreign := usage.ForeignCores(); foreign > r.foreign {
			r.foreign, r.busiest = foreign, usage.Busiest()
		}
	}
	return r, nil
}

// watched runs a contender and adds what each process used for an operation.
func (p Plan) watched(ctx context.Context, c Contender) (Sample, procfs.Usage, error) {
	watch, err := procfs.Begin(p.Names())
	if err != nil {
		return Sample{}, procfs.Usage{}, err
	}
	sample, failed := c.Run(ctx, p.Length)
	usage, err := watch.End()
	if failed != nil {
		return Sample{}, usage, failed
	}
	if err != nil {
		return Sample{}, usage, err
	}
	if sample.Count == 0 {
		return Sample{}, usage, fmt.Errorf("nothing was done in %v, %d errors", p.Length, sample.Errors)
	}
	if sample.Count > 1 { // else it is a state, and not an operation
		sample.addUsage(usage)
	}
	return sample, usage, nil
}
