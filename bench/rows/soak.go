package rows

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/pkg/load"
)

func soak() Row {
	return Row{
		Name: "soak", Title: "Ten minutes at 80 % of the capacity",
		About: "Journeys by the pages that begin at 80 % of the rate that a closed loop of 64 reaches, for ten minutes. The slope " +
			"is that of a line through the memory of the seven services from the third minute on. Queues are what RabbitMQ " +
			"holds when everybody is through. Who is asked to come later, since the machine is slower than when the rate was " +
			"found, has not failed.",
		Slow:    true,
		Measure: measureSoak,
	}
}

const (
	soakLength = 10 * time.Minute
	soakShare  = 0.8
)

func measureSoak(ctx context.Context, b Bench, tell func(measure.Result)) error {
	length, people := soakLength, 400_000
	if b.Quick {
		length, people = b.Plan.Length, 4000
	}
	b.Plan.Rounds, b.Plan.WarmUp, b.Plan.Repeats = 1, 0, 0
	w, err := newWorld(ctx, b, people)
	if err != nil {
		return err
	}
	b.Plan.Say("capacity: 64 at once")
	capacity, err := w.capacity(ctx, min(length, 10*time.Second))
	if err != nil {
		return err
	}
	api, err := b.Stand.AMQPAPI(ctx)
	if err != nil {
		return err
	}
	run := func(ctx context.Context, _ time.Duration) (measure.Sample, error) {
		return w.soak(ctx, soakShare*capacity, length, api)
	}
	return compare(ctx, b, measure.Case{
		Name: "80 % of the capacity", Contenders: []measure.Contender{{Name: ours, Run: run}},
		Targets: []measure.Target{
			measure.Absolute("slope", ours, " % a minute", true, 0.5),
			measure.Absolute("queued", ours, "", true, 0),
			measure.Absolute("failed", ours, "", true, 0),
		},
	}, tell)
}

func (w *world) soak(ctx context.Context, rate float64, length time.Duration, api string) (measure.Sample, error) {
	g := newGauge(w.services(), 2*time.Second)
	var r load.Result
	err := w.crowd.Ask(ctx, peer.AskVisits, peer.Visits{Plan: peer.PlanPages, Rate: rate, For: length, Most: rushMost}, &r)
	readings, failed := g.end()
	if err != nil {
		return measure.Sample{}, err
	}
	if failed != nil {
		return measure.Sample{}, failed
	}
	if err := w.drained(ctx); err != nil {
		return measure.Sample{}, err
	}
	queued, err := emptyQueues(ctx, api)
	if err != nil {
		return measure.Sample{}, err
	}
	late := readings[len(readings)/5:]
	s := measure.Sample{Count: r.Visits.Done, Errors: r.Visits.Failed + r.Visits.NotSent}
	s.Add(measure.Rate, "/s", r.DonePerSecond)
	s.Add("answer "+measure.P99, "ms", r.Answers.P99)
	s.Add("slope", "% a minute", 100*slope(late)/late[0].sum())
	s.Add(memory+" first", "MiB", late[0].sum())
	s.Add(memory+" last", "MiB", late[len(late)-1].sum())
	s.Add("queued", "messages", queued)
	s.Add("failed", "people", float64(s.Errors))
	s.Add("asked to come later", "people", float64(r.Visits.Later))
	return s, nil
}

// queuesWithin is how old RabbitMQ's own count of messages may be, and more.
const queuesWithin = 15 * time.Second

// emptyQueues waits until RabbitMQ says that it holds nothing, and returns what it
// holds when it does not come to that.
func emptyQueues(ctx context.Context, api string) (held float64, err error) {
	for end := time.Now().Add(queuesWithin); ; {
		if held, err = queued(ctx, api); err != nil || held == 0 || time.Now().After(end) {
			return held, err
		}
		if err := wait(ctx, time.Second); err != nil {
			return held, err
		}
	}
}

// queued is how many messages all queues hold.
func queued(ctx context.Context, api string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/api/queues", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() // it was only read
	var queues []struct {
		Messages float64 `json:"messages"`
	}
	if err := json.NewDecoder(res.Body).Decode(&queues); err != nil {
		return 0, fmt.Errorf("ask RabbitMQ for its queues: %w", err)
	}
	var all float64
	for _, q := range queues {
		all += q.Messages
	}
	return all, nil
}
