package rows

import (
	"context"
	"fmt"

	"matriq/bench/child"
	"matriq/bench/measure"
	"matriq/bench/peer"
)

// Names of contenders.
const (
	ours        = "matriq"
	raw         = "raw"
	rawJSON     = "raw with JSON"
	rawEnvelope = "raw with the same envelope"
)

func calls() Row {
	return Row{
		Name: "rpc", Title: "RPC call",
		About: "Typed calls of package rpc against amqp091-go tuned by hand (package rival says what makes it fair), " +
			"the caller in one process and the worker in another. “raw” passes bytes, “raw with JSON” encodes and decodes " +
			"the arguments and the result of one method, as the typed call does, and “raw with the same envelope” sends in " +
			"addition the property that the typed call does, for which amqp091-go allocates. Allocations are those of both processes.",
		Measure: measureCalls,
	}
}

// pair is a caller and the worker that answers it.
type pair struct {
	name           string
	caller, worker *child.Child
}

func measureCalls(ctx context.Context, b Bench, tell func(measure.Result)) error {
	pairs, err := pairsOf(ctx, b)
	if err != nil {
		return err
	}
	for _, bytes := range pick(b, 60, 4096) {
		for _, users := range pick(b, 16, 1, 64, 256) {
			c := measure.Case{Name: fmt.Sprintf("%s, %d at once", size(bytes), users), Targets: callTargets()}
			for _, p := range pairs {
				c.Contenders = append(c.Contenders, contender(p.name, users, bytes, p.caller, p.worker))
			}
			if err := compare(ctx, b, c, tell); err != nil {
				return err
			}
		}
	}
	return nil
}

func callTargets() []measure.Target {
	return []measure.Target{
		measure.Ratio(measure.Rate, ours, raw, false, 85),
		measure.Ratio(measure.P99, ours, raw, true, 130),
		measure.Difference(measure.Allocs, ours, rawJSON, "", 6),
		measure.Difference(measure.Allocs, ours, rawEnvelope, "", 6),
	}
}

// pairsOf starts callers and workers at the same broker.
func pairsOf(ctx context.Context, b Bench) ([]pair, error) {
	url, err := b.Stand.AMQP(ctx)
	if err != nil {
		return nil, err
	}
	pairs := []pair{{name: ours}, {name: raw}, {name: rawJSON}, {name: rawEnvelope}}
	roles := [][2]string{
		{peer.RoleMatriqWorker, peer.RoleMatriqCaller},
		{peer.RoleRawWorker, peer.RoleRawCaller},
		{peer.RoleJSONWorker, peer.RoleJSONCaller},
		{peer.RoleEnvelopeWorker, peer.RoleEnvelopeCaller},
	}
	for i, role := range roles {
		if err := pairs[i].open(ctx, b, role[0], role[1], url); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// open starts both in their roles.
func (p *pair) open(ctx context.Context, b Bench, worker, caller, url string) (err error) {
	if p.worker, err = opened(ctx, b, worker, "worker", url); err != nil {
		return err
	}
	p.caller, err = opened(ctx, b, caller, "caller", url)
	return err
}
