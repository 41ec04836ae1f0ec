package rows

import (
	"context"
	"fmt"
	"strings"
	"time"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/pkg/load"
)

func journeys() Row {
	return Row{
		Name: "journey", Title: "Whole journey by REST",
		About: journeyAbout + " Two gateways are asked three times: for a code, with the code, with the names.",
		Measure: func(ctx context.Context, b Bench, tell func(measure.Result)) error {
			return measureJourneys(ctx, b, peer.PlanREST, append(rates(400), costs(4000)...), tell)
		},
	}
}

func pageJourneys() Row {
	return Row{
		Name: "pages", Title: "Whole journey by the pages",
		About: journeyAbout + " A visitor without JavaScript opens the first page, sends three forms and follows their redirects.",
		Measure: func(ctx context.Context, b Bench, tell func(measure.Result)) error {
			return measureJourneys(ctx, b, peer.PlanPages, rates(250), tell)
		},
	}
}

const journeyAbout = "Registrations in a closed loop over the seven services as separate processes, one replica each, from the " +
	"code that is asked for to the student ID, the code taken from the mail. The rate counts the time until everybody is " +
	"enrolled, confirmed by a second mail and taken off the list; so does the CPU. “served” is all services and servers, " +
	"without the people, the mail server and the bench, which run on the same cores. Raw calls and casts take turns with " +
	"them: the targets were set for a machine of two cores that makes 13,000 raw calls a second, 154 µs each, so that 400 " +
	"journeys a second are 3.1 % of its raw calls, 250 are 1.9 %, and 4 ms are 26 of them."

// standardCalls is how many raw calls a second the machine makes for which the
// targets were set, 16 at once, with both cores.
const standardCalls = 13_000

// rates are the targets of a rate, as it is and for this machine.
func rates(target float64) []measure.Target {
	return []measure.Target{
		measure.Absolute(measure.Rate, ours, "/s", false, target),
		measure.Ratio(measure.Rate, ours, rawCalls, false, 100*target/standardCalls),
	}
}

// journeyLength is longer than that of other rows: a journey is many operations, and
// who is asked to come later does so after two seconds or more.
const journeyLength = 6

// costs are the targets of what a journey uses, in µs, as it is and for this machine.
func costs(target float64) []measure.Target {
	const call = 2e6 / standardCalls
	return []measure.Target{
		measure.Absolute(measure.Served, ours, " µs", true, target),
		measure.Ratio(measure.Served, ours, rawCalls, true, 100*target/call),
	}
}

func measureJourneys(ctx context.Context, b Bench, plan string, targets []measure.Target, tell func(measure.Result)) error {
	levels := pick(b, 64, 16, 256)
	b.Plan.Length *= journeyLength
	people := int(float64(len(levels)) * (float64(b.Plan.Rounds+b.Plan.Repeats)*b.Plan.Length.Seconds() + b.Plan.WarmUp.Seconds()) * 600)
	w, err := newWorld(ctx, b, 2000+people)
	if err != nil {
		return err
	}
	bare, err := bareMessages(ctx, b)
	if err != nil {
		return err
	}
	for _, users := range levels {
		c := measure.Case{
			Name:       fmt.Sprintf("%d at once", users),
			Contenders: append([]measure.Contender{w.registering(ours, plan, users)}, bare...),
			Targets:    targets,
		}
		done := w.done
		messages, err := w.messages(ctx)
		if err != nil {
			return err
		}
		result, err := b.Plan.Measure(ctx, c)
		if err != nil {
			return err
		}
		after, err := w.messages(ctx)
		if err != nil {
			return err
		}
		result.Notes = append(result.Notes, after.less(messages).budget(w.done-done, result)...)
		tell(result)
	}
	return nil
}

// registering is people who register in a closed loop.
func (w *world) registering(name, plan string, users int) measure.Contender {
	return measure.Contender{Name: name, Run: func(ctx context.Context, length time.Duration) (measure.Sample, error) {
		return w.register(ctx, peer.Visits{Plan: plan, Users: users, For: length})
	}}
}

// patience is for how long people come again when they are asked to wait.
const patience = time.Minute

// register has people come and waits until all that follows is done.
func (w *world) register(ctx context.Context, v peer.Visits) (measure.Sample, error) {
	began := time.Now()
	v.Patience = patience
	var r load.Result
	if err := w.crowd.Ask(ctx, peer.AskVisits, v, &r); err != nil {
		return measure.Sample{}, err
	}
	if err := clean(&r); err != nil {
		return measure.Sample{}, err
	}
	answered := time.Now()
	if err := w.drained(ctx); err != nil {
		return measure.Sample{}, err
	}
	w.done += r.Visits.Done
	s := measure.Sample{Count: r.Visits.Done}
	s.Add(measure.Rate, "/s", float64(r.Visits.Done)/time.Since(began).Seconds())
	s.Add("answered", "/s", r.DonePerSecond)
	s.Add("answer "+measure.P50, "ms", r.Answers.P50)
	s.Add("answer "+measure.P99, "ms", r.Answers.P99)
	s.Add("journey "+measure.P50, "ms", r.Visit.P50)
	s.Add("journey "+measure.P99, "ms", r.Visit.P99)
	s.Add("backlog", "ms", float64(time.Since(answered).Milliseconds()))
	s.Add("asked to wait", "answers", float64(r.TurnedAway.Count))
	return s, nil
}

// clean refuses a result in which anything went wrong: the rows that expect
// failures count them.
func clean(r *load.Result) error {
	if r.Visits.Failed+r.Visits.Later+r.Visits.NotSent == 0 && r.Ended == load.EndedAsPlanned {
		return nil
	}
	return fmt.Errorf("of %d visits %d failed, %d were turned away: %s", r.Visits.Due, r.Visits.Failed, r.Visits.Later, why(r))
}

// why says how a run ended and what failed in it.
func why(r *load.Result) string {
	reasons := []string{"it ended " + r.Ended}
	for _, e := range r.Errors {
		reasons = append(reasons, fmt.Sprintf("%d × %s (%s)", e.Count, e.Kind, e.First))
	}
	return strings.Join(reasons, "; ")
}
