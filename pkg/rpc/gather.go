package rpc

import (
	"context"
	"crypto/rand"
	"time"

	"matriq/pkg/group"
)

// gatherPace is how often gathered events are sent, if there are any.
const gatherPace = 50 * time.Millisecond

// Gathering tells events together with those that others tell at the same time: a
// message costs the broker and the subscribers the same with one payload as with
// fifty. It is for what is not urgent, since all but the first of a crowd wait, up
// to 50 ms, or until as many wait as one prefetch has handlers.
type Gathering[T any] struct{ told *group.Group[keyed[T]] }

// Gather returns how to tell e together. A message has the request id, the language
// and the trace of one of those whom it tells of.
func (e Event[T]) Gather(to Caster) Gathering[T] {
	return Gathering[T]{group.New(gatherPace, mostTogether(to), func(ctx context.Context, all []keyed[T]) error {
		return e.emit(WithKey(ctx, all[0].Key), to, all[0].Event, all[1:])
	})}
}

// mostTogether is how many may tell of one kind at a time: more would wait for those who
// cannot come.
func mostTogether(to Caster) int {
	if conn, ok := to.(*Conn); ok {
		return min(conn.o.Prefetch, DefaultPrefetch)
	}
	return DefaultPrefetch
}

// Emit is [Event.Emit], and returns nil once the broker has stored the message.
func (g Gathering[T]) Emit(ctx context.Context, payload T) error {
	key := outgoingKey(ctx)
	if key == "" {
		key = rand.Text()
	}
	return g.told.Write(ctx, keyed[T]{key, payload})
}
