package rpc

import (
	"context"
	"errors"
	"time"
)

// transport moves envelopes between exchanges and queues. It knows AMQP's model
// and nothing of methods, replies or retries; [Conn] is written on top of it.
// There are two: AMQP, and a broker in memory. One conformance suite holds both
// to what is said here.
type transport interface {
	// declare adds t to what exists, now and after every reconnect. It returns
	// once the broker has it all, or when ctx ends; a mismatch with what the
	// broker has under the same name is an error at once.
	declare(ctx context.Context, t Topology) error

	// publish hands e to the broker and calls done exactly once, from any
	// goroutine: with nil when the broker has taken charge of e, with
	// errUnroutable when e was mandatory and no queue is bound, or with a
	// *publishError. It never blocks on the network: when the broker blocks
	// publishers or the bounded queue is full, it waits until ctx ends if
	// wait is true, else fails at once.
	publish(ctx context.Context, e *envelope, wait bool, done func(error))

	// consume delivers queue's envelopes to fn, each in a goroutine of its own,
	// at most prefetch unsettled ones at a time, again after every reconnect.
	// stop ends the deliveries and returns when the broker has agreed, or the
	// connection is gone; deliveries under way stay to be settled.
	consume(queue string, prefetch int, fn func(*delivery)) (stop func(ctx context.Context) error, err error)

	// replies sets what receives the envelopes of the reply queue, and what is
	// told when an epoch ended, after which no reply to its reply key arrives.
	replies(receive func(*envelope), lost func(epoch uint64))

	// replyKey returns the routing key of the current reply queue and its
	// epoch; ok is false while there is no connection.
	replyKey() (key string, epoch uint64, ok bool)

	// ready returns nil when connected, declared, and not blocked.
	ready() error

	// close hands out what is queued and waits for the confirms until ctx ends.
	close(ctx context.Context) error
}

// envelope is one AMQP message with where it goes.
type envelope struct {
	exchange, key   string
	mandatory       bool
	contentType     string
	contentEncoding string
	correlationID   string
	replyTo         string
	transient       bool // delivery mode 1 instead of 2
	expiration      time.Duration
	headers         map[string]any
	body            []byte
}

// delivery is an envelope that waits for its settlement. Exactly one of ack and
// nack is called; both are no-ops once the epoch of the delivery is over.
type delivery struct {
	envelope
	queue       string
	redelivered bool
	// count is how often the broker handed it out before, where it says.
	count int
	ack   func()
	// nack gives the envelope back to the queue's head, for a program that
	// stops, never for a failure.
	nack func()
}

var errUnroutable = errors.New("no queue is bound for this message")

// publishError tells what became of an envelope that was not confirmed.
type publishError struct {
	// sent is true when it may have reached the broker.
	sent bool
	err  error
}

func (e *publishError) Error() string { return "publish: " + e.err.Error() }
func (e *publishError) Unwrap() error { return e.err }

// Topology is what a program needs the broker to have.
type Topology struct {
	Exchanges []Exchange
	Queues    []Queue
	Bindings  []Binding
}

// Exchange is a durable exchange.
type Exchange struct {
	Name, Kind string
}

// Queue is a durable queue with its declared arguments, by AMQP's names.
type Queue struct {
	Name string
	Args map[string]any
}

// Binding routes an exchange's messages with a matching key to a queue.
type Binding struct {
	Exchange, Key, Queue string
}
