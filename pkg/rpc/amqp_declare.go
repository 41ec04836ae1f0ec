package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (t *amqpTransport) declare(ctx context.Context, topology Topology) error {
	for attempts := 1; ; attempts++ {
		ep, err := t.connected(ctx)
		if err != nil {
			return fmt.Errorf("declare: %w", err)
		}
		err = ep.do(ctx, func() error { return declareOn(ep.c, topology) })
		switch {
		case err == nil && t.remember(ep, topology):
			return nil
		case isRefusal(err):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("declare: %w", ctx.Err())
		}
		pause(ctx, t.limits.delay(attempts))
	}
}

// remember adds topology to what each epoch declares, unless ep is over: then
// the broker may have forgotten it already.
func (t *amqpTransport) remember(ep *amqpEpoch, topology Topology) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != ep {
		return false
	}
	t.topology.Exchanges = append(t.topology.Exchanges, topology.Exchanges...)
	t.topology.Queues = append(t.topology.Queues, topology.Queues...)
	t.topology.Bindings = append(t.topology.Bindings, topology.Bindings...)
	return true
}

func (t *amqpTransport) declared() Topology {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Topology{
		Exchanges: slices.Clone(t.topology.Exchanges),
		Queues:    slices.Clone(t.topology.Queues),
		Bindings:  slices.Clone(t.topology.Bindings),
	}
}

// isRefusal tells whether the broker will say the same again: access refused,
// exclusive to another, other properties, not allowed, invalid, not implemented.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok || !e.Server {
		return false
	}
	switch e.Code {
	case amqp.AccessRefused, amqp.ResourceLocked, amqp.PreconditionFailed,
		amqp.NotAllowed, amqp.CommandInvalid, amqp.NotImplemented:
		return true
	}
	return false
}

// declareOn uses a channel of its own, since the broker closes the channel on
// which something could not be declared.
func declareOn(conn *amqp.Connection, t Topology) error {
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	defer func() { _ = ch.Close() }() // it has done its work, or is closed
	for _, x := range t.Exchanges {
		if err := ch.ExchangeDeclare(x.Name, x.Kind, true, false, false, false, nil); err != nil {
			return declareError("exchange", x.Name, "delete it (what publishes to it then fails until it is declared again)", err)
		}
	}
	for _, q := range t.Queues {
		if _, err := ch.QueueDeclare(q.Name, true, false, false, false, q.Args); err != nil {
			return declareError("queue", q.Name, "let it run empty and delete it (rabbitmqctl delete_queue "+q.Name+")", err)
		}
	}
	for _, b := range t.Bindings {
		if err := ch.QueueBind(b.Queue, b.Key, b.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %q to exchange %q: %w", b.Queue, b.Exchange, err)
		}
	}
	return nil
}

func declareError(what, name, cure string, err error) error {
	if e, ok := errors.AsType[*amqp.Error](err); ok && e.Code == amqp.PreconditionFailed {
		return fmt.Errorf("declare %s %q: %w; %s, or run the version that declared it: %w", what, name, errMismatch, cure, err)
	}
	return fmt.Errorf("declare %s %q: %w", what, name, err)
}
