package measure

import (
	"fmt"
	"slices"
)

// Target is what a case has to reach.
type Target struct {
	// What is compared, in words.
	What string
	// AtMost turns the bound from the least into the most that is good.
	AtMost bool
	Bound  float64
	// Unit is behind the numbers: "%", "ms", or "".
	Unit string
	// Of returns the number in each round, or nil when the result lacks it.
	Of func(*Result) []float64
}

// Verdict is whether a target is reached.
type Verdict struct {
	What  string  `json:"what"`
	Got   float64 `json:"got"`
	Bound float64 `json:"bound"`
	Unit  string  `json:"unit"`
	// AtMost tells whether the bound is an upper one.
	AtMost  bool `json:"at_most"`
	Reached bool `json:"reached"`
	// Refused says why there is no verdict; empty: there is one.
	Refused string `json:"refused,omitempty"`
}

// Ratio is a target for a figure of one contender in parts of another's, in
// percent.
func Ratio(figure, of, to string, atMost bool, percent float64) Target {
	return Target{
		What: fmt.Sprintf("%s of %s in parts of %s", figure, of, to), AtMost: atMost, Bound: percent, Unit: "%",
		Of: func(r *Result) []float64 {
			return combine(r, figure, of, to, func(a, b float64) float64 { return 100 * a / b })
		},
	}
}

// Difference is a target for a figure of one contender less another's.
func Difference(figure, of, to, unit string, atMost float64) Target {
	return Target{
		What: fmt.Sprintf("%s of %s more than %s", figure, of, to), AtMost: true, Bound: atMost, Unit: unit,
		Of: func(r *Result) []float64 {
			return combine(r, figure, of, to, func(a, b float64) float64 { return a - b })
		},
	}
}

// Absolute is a target for a figure by itself.
func Absolute(figure, of, unit string, atMost bool, bound float64) Target {
	return Target{
		What: figure + " of " + of, AtMost: atMost, Bound: bound, Unit: unit,
		Of: func(r *Result) []float64 {
			f, ok := r.Figure(of, figure)
			if !ok {
				return nil
			}
			return f.Rounds
		},
	}
}

func combine(r *Result, figure, of, to string, with func(a, b float64) float64) []float64 {
	a, okA := r.Figure(of, figure)
	b, okB := r.Figure(to, figure)
	if !okA || !okB || len(a.Rounds) != len(b.Rounds) {
		return nil
	}
	combined := make([]float64, len(a.Rounds))
	for i := range combined {
		combined[i] = with(a.Rounds[i], b.Rounds[i])
	}
	return combined
}

func (r *Result) judge(targets []Target) {
	for _, t := range targets {
		r.Verdicts = append(r.Verdicts, r.verdict(t))
	}
}

func (r *Result) verdict(t Target) Verdict {
	v := Verdict{What: t.What, Bound: t.Bound, Unit: t.Unit, AtMost: t.AtMost}
	rounds := t.Of(r)
	if len(rounds) == 0 {
		v.Refused = "was not measured"
		return v
	}
	v.Got = Median(rounds)
	if foreign := slices.Max(append(r.Foreign, 0)); foreign > MostForeign {
		v.Refused = fmt.Sprintf("foreign load %.1f cores > %.1f (%s)", foreign, MostForeign, r.Busiest)
		return v
	}
	v.Reached = v.Got >= t.Bound
	if t.AtMost {
		v.Reached = v.Got <= t.Bound
	}
	return v
}

// String is the verdict in a line.
func (v Verdict) String() string {
	sign, word := "≥", "MISSED"
	if v.AtMost {
		sign = "≤"
	}
	switch {
	case v.Refused != "":
		word = "no verdict: " + v.Refused
	case v.Reached:
		word = "reached"
	}
	return fmt.Sprintf("%s: %s%s (%s %s%s): %s", v.What, Short(v.Got), v.Unit, sign, Short(v.Bound), v.Unit, word)
}
