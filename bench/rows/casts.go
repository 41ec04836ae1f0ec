package rows

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/bench/rival"
)

func casts() Row {
	return Row{
		Name: "cast", Title: "Confirmed cast",
		About: "Casts of package rpc against amqp091-go tuned by hand, to quorum queues with the same arguments; a window is " +
			"how many casts may be unconfirmed. Nobody takes the casts, and the queues are emptied between rounds.",
		Measure: measureCasts,
	}
}

func measureCasts(ctx context.Context, b Bench, tell func(measure.Result)) error {
	url, err := b.Stand.AMQP(ctx)
	if err != nil {
		return err
	}
	matriq, err := opened(ctx, b, peer.RoleMatriqCaster, "caster", url)
	if err != nil {
		return err
	}
	rivals, err := opened(ctx, b, peer.RoleRawCaster, "caster", url)
	if err != nil {
		return err
	}
	const bytes = 200 // about what student.insert's three casts have
	for _, window := range pick(b, 64, 1, 512) {
		c := measure.Case{
			Name: fmt.Sprintf("window %d", window),
			Contenders: []measure.Contender{
				emptied(url, peer.MatriqCastQueue, contender(ours, window, bytes, matriq)),
				emptied(url, rival.CastQueue, contender(raw, window, bytes, rivals)),
			},
			Targets: []measure.Target{measure.Ratio(measure.Rate, ours, raw, false, 85)},
		}
		if err := compare(ctx, b, c, tell); err != nil {
			return err
		}
	}
	return nil
}

// emptied empties the queue behind each run of c.
func emptied(url, queue string, c measure.Contender) measure.Contender {
	run := c.Run
	c.Run = func(ctx context.Context, length time.Duration) (measure.Sample, error) {
		sample, err := run(ctx, length)
		if err != nil {
			return sample, err
		}
		return sample, empty(url, queue)
	}
	return c
}

func empty(url, queue string) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close() // it was only asked
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueuePurge(queue, false); err != nil {
		return fmt.Errorf("empty %s: %w", queue, err)
	}
	return nil
}
