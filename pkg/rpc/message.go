package rpc

import (
	"context"
	"crypto/rand"
	"time"
)

// Kind tells calls, casts and events apart.
type Kind string

const (
	// KindCall expects a reply.
	KindCall Kind = "call"
	// KindCast is stored by the broker and done once by one worker.
	KindCast Kind = "cast"
	// KindEvent is stored once for every service that subscribed to it.
	KindEvent Kind = "event"
)

// Message is an encoded call, cast or event on its way out. It holds no live
// state, so an outbox can store it and send it later.
type Message struct {
	Kind Kind
	// Target is "service.method" of a call or a cast, and "source.type" of an
	// event, where source is the service that emits it.
	Target string
	// Body is the JSON body as Nameko has it.
	Body []byte
	// Key is the idempotency key; never empty for casts and events.
	Key string
	// Deadline is when the work loses its sense; zero for never.
	Deadline time.Time
	// Idempotent allows the library to repeat a call that may have run.
	Idempotent bool
	// Attended makes a call fail at once when nobody serves it at the moment.
	Attended bool
	Meta     Meta
	// TraceParent is the W3C trace context, or "".
	TraceParent string
}

// Caller makes calls. [*Conn] is one.
type Caller interface {
	// Call sends a request and returns the JSON result of the handler. It has
	// exactly one outcome, by the deadline of ctx; failures are [*Error]s.
	Call(ctx context.Context, m Message) ([]byte, error)
}

// Caster sends casts and events. [*Conn] is one.
type Caster interface {
	// Cast returns nil once the broker has stored m. After an error, m may have
	// been stored or not; sending it again under the same key is harmless.
	Cast(ctx context.Context, m Message) error
}

// newMessage fills in what every message takes from the context.
func newMessage(ctx context.Context, kind Kind, target string, body []byte) Message {
	m := Message{Kind: kind, Target: target, Body: body, Key: outgoingKey(ctx), Meta: MetaFrom(ctx), TraceParent: traceParent(ctx)}
	if m.Key == "" && kind != KindCall {
		m.Key = rand.Text()
	}
	return m
}
