package rpc

import (
	"context"
	"crypto/rand"
	"sync"
)

// Meta travels beside the arguments of every call, cast and event, and on to
// the calls that a handler makes. On the wire to Nameko each field is a header:
// nameko.language, nameko.request_id, nameko.client_ip.
type Meta struct {
	// Language is the BCP 47 tag of the person's language: "th" or "en".
	Language string
	// RequestID names the request at the edge that started it all.
	RequestID string
	// ClientIP is the address of the person, as the edge believes it.
	ClientIP string
}

type metaKey struct{}

// WithMeta returns a context whose calls, casts and events carry m.
func WithMeta(ctx context.Context, m Meta) context.Context {
	return context.WithValue(ctx, metaKey{}, &m)
}

// MetaFrom returns what travels with ctx; a handler finds its caller's there.
func MetaFrom(ctx context.Context) Meta {
	if m, ok := ctx.Value(metaKey{}).(*Meta); ok {
		return *m
	}
	return Meta{}
}

// messageKey is an idempotency key with its direction.
type messageKey struct {
	key      string
	incoming bool
}

type keyKey struct{}

// WithKey returns a context whose casts, events and calls carry key, by which a
// receiver tells a repeat from a new message.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyKey{}, &messageKey{key: key})
}

// handling returns a context of the handler of a message with key.
func handling(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyKey{}, &messageKey{key: key, incoming: true})
}

// KeyFrom returns the idempotency key of the message being handled. Every cast
// and event has one; a call has one when its caller set it. A handler's own
// messages do not inherit it. In a context of [WithKey] it is that key.
func KeyFrom(ctx context.Context) string {
	if k, ok := ctx.Value(keyKey{}).(*messageKey); ok {
		return k.key
	}
	return ""
}

// outgoingKey returns the key that [WithKey] set for the messages of ctx.
func outgoingKey(ctx context.Context) string {
	k, ok := ctx.Value(keyKey{}).(*messageKey)
	if !ok || k.incoming {
		return ""
	}
	return k.key
}

type stackKey struct{}

// stackFrom returns the call ids that led to ctx, the current one last.
func stackFrom(ctx context.Context) callIDs {
	if stack, ok := ctx.Value(stackKey{}).(*callStack); ok {
		return stack.ids()
	}
	return ""
}

// callStack is what led to a handler. Most handlers call nobody, so its own id is
// made for the first message that needs it.
type callStack struct {
	before callIDs
	method string
	make   sync.Once
	all    callIDs
}

func (s *callStack) ids() callIDs {
	s.make.Do(func() { s.all = s.before.with(s.method + "." + rand.Text()) })
	return s.all
}

// scope is the context of a handler: what travels with its message, in one object
// where a context for each would be several.
type scope struct {
	context.Context //nolint:containedctx // it is one

	meta  Meta
	key   messageKey
	stack callStack
}

func (s *scope) Value(key any) any {
	switch key.(type) {
	case metaKey:
		return &s.meta
	case keyKey:
		return &s.key
	case stackKey:
		return &s.stack
	}
	return s.Context.Value(key)
}
