// Package rival is what one would write by hand in place of package rpc, for one
// method and for speed: the bare limit that package rpc is held against.
//
// It is fair because it gives the same for the same:
//
//   - the same broker, queue kinds, and number of processes; requests, replies and
//     casts go straight to their queues;
//   - two connections a process, one that publishes and one that consumes;
//   - requests and replies are transient, mandatory and published with confirms; a
//     request expires after the caller's patience;
//   - a worker takes 16 messages at a time, handles each in a goroutine of its own,
//     waits until the broker has confirmed the reply and only then acks the
//     request, one by one: a worker that dies loses no call;
//   - a caller waits with a context, and one reply queue serves all callers of the
//     process, by a map from correlation IDs to those who wait;
//   - a cast goes to a quorum queue, persistent, and is sent when the broker has
//     confirmed it; of a window of n casts n are unconfirmed at most.
//
// It is the limit because it leaves out all that package rpc adds: it sends no
// headers, keeps no metrics, traces nothing, notices no silent broker, connects
// once, repeats nothing, and tells no reasons. [Bytes] passes bodies as they are;
// [JSON] encodes and decodes the bodies of one method, as a service has to; with
// [NewEnvelopeCaller] the requests say what those of package rpc do as well.
package rival

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Names at the broker.
const (
	straight = "" // leads to the queue that the key names
	// CastQueue is where casts are stored.
	CastQueue = "rival-work"
)

// Prefetch is package rpc's default.
const Prefetch = 16

var errReturned = errors.New("nobody takes requests")

// link is two connections, with the channel that publishes.
type link struct {
	p, c    *amqp.Connection
	publish *amqp.Channel
}

func dial(url string) (*link, error) {
	l := &link{}
	var err error
	if l.p, err = amqp.Dial(url); err != nil {
		return nil, fmt.Errorf("connect to publish: %w", err)
	}
	if l.c, err = amqp.Dial(url); err != nil {
		return nil, fmt.Errorf("connect to consume: %w", err)
	}
	if l.publish, err = l.p.Channel(); err != nil {
		return nil, err
	}
	return l, l.publish.Confirm(false)
}

// Close closes both connections.
func (l *link) Close() error { return errors.Join(l.p.Close(), l.c.Close()) }
