package measure

import (
	"slices"
	"time"
)

// Report is what a row of the bench leaves behind, as JSON.
type Report struct {
	Row     string    `json:"row"`
	Title   string    `json:"title"`
	About   string    `json:"about"`
	At      time.Time `json:"at"`
	Machine Machine   `json:"machine"`
	Results []Result  `json:"results"`
}

// Result is what a case has shown.
type Result struct {
	Case       string    `json:"case"`
	Contenders []Outcome `json:"contenders"`
	Verdicts   []Verdict `json:"verdicts,omitempty"`
	// Foreign is how many cores others used in each round that counts.
	Foreign []float64 `json:"foreign_cores"`
	// Disturbed is how many rounds were thrown away.
	Disturbed int `json:"disturbed_rounds"`
	// Busiest is the foreign program that used most in the worst round.
	Busiest string `json:"busiest,omitempty"`
	// Operations is how many were done in all, warm-up and repeated rounds included.
	Operations int `json:"operations"`
	// Notes explain, a sentence each.
	Notes []string `json:"notes,omitempty"`
}

// Outcome is one contender's part of a result.
type Outcome struct {
	Name string `json:"name"`
	// Yardstick is the contender's.
	Yardstick bool     `json:"yardstick,omitempty"`
	Errors    int      `json:"errors"`
	Figures   []Figure `json:"figures"`
}

// Figure is one number in all rounds.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

func newResult(c Case) Result {
	r := Result{Case: c.Name}
	for _, contender := range c.Contenders {
		r.Contenders = append(r.Contenders, Outcome{Name: contender.Name, Yardstick: contender.Yardstick})
	}
	return r
}

func (r *Result) add(of round) {
	if of.foreign >= slices.Max(append(r.Foreign, 0)) {
		r.Busiest = of.busiest
	}
	r.Foreign = append(r.Foreign, of.foreign)
	for i, sample := range of.samples {
		r.Contenders[i].add(sample, len(r.Foreign)-1)
	}
}

// add puts the values of a round behind those before. What an earlier round did
// not have, or this one has not, was 0: a process that used no time.
func (o *Outcome) add(s Sample, before int) {
	o.Errors += s.Errors
	for _, v := range s.Values {
		f := o.figure(v.Name)
		if f == nil {
			o.Figures = append(o.Figures, Figure{Name: v.Name, Unit: v.Unit})
			f = &o.Figures[len(o.Figures)-1]
		}
		f.fill(before)
		f.Rounds = append(f.Rounds, v.Number)
	}
	for i := range o.Figures {
		o.Figures[i].fill(before + 1)
		o.Figures[i].sum()
	}
}

func (f *Figure) fill(rounds int) {
	for len(f.Rounds) < rounds {
		f.Rounds = append(f.Rounds, 0)
	}
}

func (f *Figure) sum() {
	f.Median, f.Min, f.Max = Median(f.Rounds), slices.Min(f.Rounds), slices.Max(f.Rounds)
}

func (o *Outcome) figure(name string) *Figure {
	i := slices.IndexFunc(o.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &o.Figures[i]
}

// Figure returns a contender's figure; ok is false when there is none.
func (r *Result) Figure(contender, name string) (f Figure, ok bool) {
	for i := range r.Contenders {
		if r.Contenders[i].Name != contender {
			continue
		}
		if found := r.Contenders[i].figure(name); found != nil {
			return *found, true
		}
	}
	return Figure{}, false
}

// Median of some numbers; of an even number, the mean of the middle two.
func Median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}
