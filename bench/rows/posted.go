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

func posted() Row {
	return Row{
		Name: "posted", Title: "Posted pages, the gateways stubbed",
		About: "Whole journeys by the pages of the real ui process with Redis, in front of gateways that say yes at once: what " +
			"the pages cost by themselves. The times are those of the three posts without the page that they redirect to. " +
			"“stub” is the gateways.",
		Measure: measurePosted,
	}
}

func measurePosted(ctx context.Context, b Bench, tell func(measure.Result)) error {
	stub, err := b.Stand.Child(peer.RoleStub, "stub")
	if err != nil {
		return err
	}
	var addr string
	if err := stub.Ask(ctx, peer.AskOpen, "", &addr); err != nil {
		return err
	}
	gateway := "http://bench:correct-horse-battery-staple@" + addr
	suite, err := b.Stand.StartSuite(ctx, "127.0.0.1:1", map[string]string{"OTP_URL": gateway, "REGISTER_URL": gateway}, "ui")
	if err != nil {
		return err
	}
	crowd, err := b.Stand.Child(peer.RoleLoad, "load")
	if err != nil {
		return err
	}
	err = crowd.Ask(ctx, peer.AskOpen, peer.Crowd{OTP: gateway, Register: gateway, UI: suite.URL("ui"), People: 1_000_000}, nil)
	if err != nil {
		return err
	}
	for _, users := range pick(b, 64, 256) {
		run := func(ctx context.Context, length time.Duration) (measure.Sample, error) {
			var r load.Result
			if err := crowd.Ask(ctx, peer.AskVisits, peer.Visits{Plan: peer.PlanPages, Users: users, For: length, Patience: patience}, &r); err != nil {
				return measure.Sample{}, err
			}
			return postedSample(&r), clean(&r)
		}
		c := measure.Case{Name: fmt.Sprintf("%d at once", users), Contenders: []measure.Contender{{Name: ours, Run: run}}}
		if err := compare(ctx, b, c, tell); err != nil {
			return err
		}
	}
	return nil
}

// postedSample has the times of the posts.
func postedSample(r *load.Result) measure.Sample {
	s := measure.Sample{Count: r.Visits.Done}
	s.Add(measure.Rate, "journeys/s", r.DonePerSecond)
	names := map[string]string{"POST /": "code asked", "POST /authen": "code given", "POST /reg": "names"}
	for _, step := range r.Steps {
		path, _, _ := strings.Cut(step.Name, "?")
		if name, ok := names[path]; ok {
			s.Add(name+" "+measure.P50, "ms", step.Good.P50)
			s.Add(name+" "+measure.P99, "ms", step.Good.P99)
		}
	}
	s.Add("asked to wait", "answers", float64(r.TurnedAway.Count))
	return s
}
