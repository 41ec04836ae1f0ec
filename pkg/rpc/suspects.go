package rpc

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// suspicion is how often a message of a work queue was handed out without
	// being settled when it becomes a suspect. Once may be a broker's restart.
	suspicion = 2
	// suspectStep is what each delivery adds to a suspect's wait.
	suspectStep = 50 * time.Millisecond
)

// suspects are messages that may be what kills the workers. Most are innocent:
// whatever was handed out beside the guilty one died with it, each time, and
// would be parked with it at the delivery limit. So suspects are handled one at
// a time, those with fewer deliveries first and equals in random order: in each
// life of a worker the innocent have an even chance or better to be done before
// the guilty one's turn.
type suspects struct{ turn chan struct{} }

func newSuspects() suspects { return suspects{turn: make(chan struct{}, 1)} }

// wait returns when it is the turn of a message with count deliveries before
// this one, which ends with done; false means that ctx ended first.
func (s suspects) wait(ctx context.Context, count int) (done func(), ok bool) {
	line := time.NewTimer(time.Duration(count-1)*suspectStep + rand.N(suspectStep)) //nolint:gosec // a fair order keeps no secret
	defer line.Stop()
	select {
	case <-line.C:
	case <-ctx.Done():
		return nil, false
	}
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, true
	case <-ctx.Done():
		return nil, false
	}
}
