package rows

import (
	"context"
	"time"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/bench/rival"
)

// Yardsticks of journeys.
const (
	rawCalls = "raw calls"
	rawCasts = "raw casts"
)

// bareMessages are the messages of amqp091-go tuned by hand: calls of 60 B, 16 at
// once, and casts of 200 B with a window of 64. They run for a part of a journey's
// time.
func bareMessages(ctx context.Context, b Bench) ([]measure.Contender, error) {
	url, err := b.Stand.AMQP(ctx)
	if err != nil {
		return nil, err
	}
	var calls pair
	if err := calls.open(ctx, b, peer.RoleRawWorker, peer.RoleRawCaller, url); err != nil {
		return nil, err
	}
	caster, err := opened(ctx, b, peer.RoleRawCaster, "caster", url)
	if err != nil {
		return nil, err
	}
	return []measure.Contender{
		yardstick(contender(rawCalls, 16, 60, calls.caller, calls.worker)),
		yardstick(emptied(url, rival.CastQueue, contender(rawCasts, 64, 200, caster))),
	}, nil
}

// yardstick is c without what a row of journeys makes of the length.
func yardstick(c measure.Contender) measure.Contender {
	run := c.Run
	c.Yardstick = true
	c.Run = func(ctx context.Context, length time.Duration) (measure.Sample, error) {
		return run(ctx, length/journeyLength)
	}
	return c
}
