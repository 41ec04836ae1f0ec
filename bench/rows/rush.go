package rows

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/pkg/load"
)

func rush() Row {
	return Row{
		Name: "rush", Title: "Rush at twice the capacity",
		About: "People arrive at twice the rate of the capacity, whatever becomes of those before them, for a minute; who is turned " +
			"away does not come again. The capacity are journeys by the pages in a closed loop of 64: it is measured before the first rush, " +
			"and takes turns with them. Goodput are the registrations " +
			"a second from the first arrival to the last answer. The first answer of each is timed from when it was due; “turned " +
			"away” are those of 503 with Retry-After, “half-way” those of them who had begun. The first page comes from memory, " +
			"so that “a form” has the slowest of the other steps. Memory is that of the seven services; it is flat when it is at the end what it was " +
			"after 20 s.",
		Measure: measureRush,
	}
}

const (
	rushLength = time.Minute
	settled    = 20 * time.Second
	rushMost   = 4000
	rushPeople = 250_000 // are enough for four rushes of a thousand a second
	capacity   = "capacity"
	goodput    = "goodput"
)

func measureRush(ctx context.Context, b Bench, tell func(measure.Result)) error {
	length, people := rushLength, rushPeople
	b.Plan.Rounds, b.Plan.WarmUp = 3, 0
	if b.Quick {
		length, people = b.Plan.Length, 4000
	}
	b.Plan.Repeats = min(b.Plan.Repeats, 1)
	w, err := newWorld(ctx, b, people)
	if err != nil {
		return err
	}
	b.Plan.Say("capacity: 64 at once")
	expected, err := w.capacity(ctx, length/6)
	if err != nil {
		return err
	}
	before, err := metrics(ctx, w.suite.Program("email").Admin)
	if err != nil {
		return err
	}
	c := measure.Case{
		Name: "twice the capacity",
		Contenders: []measure.Contender{
			{Name: capacity, Run: func(ctx context.Context, _ time.Duration) (measure.Sample, error) {
				return w.full(ctx, length/6)
			}},
			{Name: ours, Run: func(ctx context.Context, _ time.Duration) (measure.Sample, error) {
				return w.rush(ctx, 2*expected, length)
			}},
		},
		Targets: rushTargets(),
	}
	result, err := b.Plan.Measure(ctx, c)
	if err != nil {
		return err
	}
	after, err := metrics(ctx, w.suite.Program("email").Admin)
	if err != nil {
		return err
	}
	const lag, mails = "matriq_mail_lag_seconds_sum", "matriq_mail_lag_seconds_count"
	result.Notes = append(result.Notes,
		fmt.Sprintf("a code took %s s on the mean from its making to the mail server; %v casts were dropped at their deadline",
			measure.Short((after[lag]-before[lag])/max(1, after[mails]-before[mails])), after["matriq_rpc_expired_total"]-before["matriq_rpc_expired_total"]))
	tell(result)
	return nil
}

func rushTargets() []measure.Target {
	return []measure.Target{
		measure.Ratio(goodput, ours, capacity, false, 90),
		measure.Absolute("admitted "+measure.P99, ours, " ms", true, 1000),
		measure.Absolute("turned away "+measure.P99, ours, " ms", true, 50),
		measure.Absolute("a form "+measure.P99, ours, " ms", true, 1000),
		measure.Absolute("half-way", ours, "", true, 0),
		measure.Absolute("failed", ours, "", true, 0),
		measure.Absolute("memory growth", ours, "%", true, 5),
	}
}

// capacity is how many register in a second when 64 do so at a time, once some have.
func (w *world) capacity(ctx context.Context, length time.Duration) (float64, error) {
	if _, err := w.full(ctx, length/5); err != nil {
		return 0, err
	}
	s, err := w.full(ctx, length)
	if err != nil {
		return 0, err
	}
	return s.Values[0].Number, nil
}

// full is the same as a contender, whose goodput is the capacity.
func (w *world) full(ctx context.Context, length time.Duration) (measure.Sample, error) {
	all, err := w.register(ctx, peer.Visits{Plan: peer.PlanPages, Users: 64, For: length})
	if err != nil {
		return measure.Sample{}, err
	}
	for _, v := range all.Values {
		if v.Name == "answered" {
			s := measure.Sample{Count: all.Count}
			s.Add(goodput, "/s", v.Number)
			return s, nil
		}
	}
	return measure.Sample{}, fmt.Errorf("nobody registered in %v", length)
}

// rush has people arrive at rate.
func (w *world) rush(ctx context.Context, rate float64, length time.Duration) (measure.Sample, error) {
	g := newGauge(w.services(), time.Second)
	var r load.Result
	err := w.crowd.Ask(ctx, peer.AskVisits, peer.Visits{Plan: peer.PlanPages, Rate: rate, For: length, Most: rushMost}, &r)
	readings, failed := g.end()
	if err != nil {
		return measure.Sample{}, err
	}
	if failed != nil {
		return measure.Sample{}, failed
	}
	s := measure.Sample{Count: r.Visits.Done, Errors: r.Visits.Failed + r.Visits.NotSent}
	s.Add(goodput, "/s", r.DonePerSecond)
	s.Add("admitted "+measure.P50, "ms", r.Answers.P50)
	s.Add("admitted "+measure.P99, "ms", r.Answers.P99)
	s.Add("a form "+measure.P99, "ms", slowestForm(r))
	s.Add("turned away", "people", float64(r.Visits.Later))
	s.Add("turned away "+measure.P50, "ms", r.TurnedAway.P50)
	s.Add("turned away "+measure.P99, "ms", r.TurnedAway.P99)
	s.Add("half-way", "people", float64(halfWay(r)))
	s.Add("failed", "people", float64(s.Errors))
	s.Add("late", "ms", r.Lag.P99)
	s.Add("memory growth", "%", growth(readings))
	s.Add(memory, "MiB", readings[len(readings)-1].sum())
	return s, w.drained(ctx)
}

const begins = "POST /"

// halfWay is how many were turned away after their first step.
func halfWay(r load.Result) (people int) {
	for _, step := range r.Steps {
		if step.Name != begins {
			people += step.Later
		}
	}
	return people
}

// slowestForm is the p99 of the form that takes longest, in milliseconds.
func slowestForm(r load.Result) (p99 float64) {
	for _, step := range r.Steps {
		if strings.HasPrefix(step.Name, http.MethodPost) {
			p99 = max(p99, step.Good.P99)
		}
	}
	return p99
}

// growth is how much more memory there is at the end than once things had settled,
// in percent.
func growth(readings []reading) float64 {
	last := readings[len(readings)-1].sum()
	for _, r := range readings {
		if r.second >= settled.Seconds() {
			return 100 * (last - r.sum()) / r.sum()
		}
	}
	return 0
}
