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
	// start begins to connect. receive gets the envelopes of the reply queue,
	// in any goroutine, keeps none of them, and does not block; lost is told when an epoch ended,
	// after which no reply to its reply key arrives. Called once, by newConn.
	start(receive func(*envelope), lost func(epoch uint64))

	// declare adds t to what exists, now and after every reconnect. It returns
	// once the broker has it all, or when ctx ends; a mismatch with what the
	// broker has under the same name is errMismatch at once.
	declare(ctx context.Context, t Topology) error

	// publish hands e to the broker and calls done exactly once, from any
	// goroutine and perhaps before it returns: with nil when the broker has
	// taken charge of e, with errUnroutable when e was mandatory and no queue
	// is bound, or with a *publishError. done does not block. publish never
	// blocks on the network: while there is no connection, the broker blocks
	// publishers, or the bounded queue is full, it waits until ctx ends if wait
	// is true, else fails at once with errNotConnected, errBlocked or errFull
	// in a *publishError. Once handed over, ctx has no further effect.
	publish(ctx context.Context, e *envelope, wait bool, done func(error))

	// consume delivers queue's envelopes to fn, each in a goroutine of its own,
	// at most prefetch unsettled ones at a time, again after every reconnect. An ack
	// may take up to ackDelay to reach the broker, so that others go with it; one for
	// which stop has been called does not wait.
	// stop ends the deliveries and returns when the broker has agreed, or the
	// connection is gone; deliveries under way stay to be settled.
	consume(queue string, prefetch int, ackDelay time.Duration, fn func(*delivery)) (stop func(ctx context.Context) error, err error)

	// get takes one envelope from the head of queue; ok is false when there is
	// none. Until it is settled it is hidden from others. A queue that does not
	// exist is errNoQueue.
	get(ctx context.Context, queue string) (d *delivery, ok bool, err error)

	// count returns how many envelopes of queue wait for delivery. A queue that
	// does not exist is errNoQueue.
	count(ctx context.Context, queue string) (int, error)

	// attendance returns how many programs take from queue. It does not wait for
	// a connection. A queue that does not exist is errNoQueue.
	attendance(ctx context.Context, queue string) (int, error)

	// replyTo returns the name of the current reply queue, which the transport
	// declares itself and binds to the exchange nameko-rpc under that name, and its
	// epoch, which only grows, from 1; ok is false while there is no connection.
	replyTo() (queue string, epoch uint64, ok bool)

	// ready returns nil when connected, declared, and not blocked.
	ready() error

	// close hands out what is queued and waits for the confirms until ctx ends.
	// Afterwards every publish fails with errNotConnected.
	close(ctx context.Context) error
}

// envelope is one AMQP message with where it goes.
type envelope struct {
	exchange, key   string
	mandatory       bool
	contentType     string
	contentEncoding string
	messageType     string
	correlationID   string
	replyTo         string
	transient       bool // delivery mode 1 instead of 2
	alone           bool // shares no message with others
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
	settler
}

// settler settles one delivery.
type settler interface {
	ack()
	// nack gives the envelope back to the queue's head, for a program that
	// stops, never for a failure.
	nack()
}

var (
	errUnroutable   = errors.New("no queue is bound for this message")
	errMismatch     = errors.New("the broker has it under the same name with other properties")
	errNoQueue      = errors.New("there is no such queue")
	errUnattended   = errors.New("nobody takes from the queue")
	errNotConnected = errors.New("not connected to the broker")
	errBlocked      = errors.New("the broker blocks publishers")
	errFull         = errors.New("too much is waiting to be sent")
	// errRefused is the broker's nack: it has not stored the envelope, for
	// example because the queue is at its limit.
	errRefused = errors.New("the broker refused the message")
)

// publishError tells what became of an envelope that was not confirmed.
type publishError struct {
	// sent is true when the broker may have stored it.
	sent bool
	err  error
}

func (e *publishError) Error() string { return "publish: " + e.err.Error() }
func (e *publishError) Unwrap() error { return e.err }
