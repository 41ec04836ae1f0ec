package rpc

import "context"

// Meta travels beside the arguments of every call, cast and event, and on to
// the calls that a handler makes. On the wire each field is a header with
// Nameko's prefix: nameko.language, nameko.request_id, nameko.client_ip.
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
	return context.WithValue(ctx, metaKey{}, m)
}

// MetaFrom returns what travels with ctx; a handler finds its caller's there.
func MetaFrom(ctx context.Context) Meta {
	m, _ := ctx.Value(metaKey{}).(Meta)
	return m
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
	return context.WithValue(ctx, keyKey{}, messageKey{key: key})
}

// KeyFrom returns the idempotency key of the message being handled. Every cast
// and event has one; a call has one when its caller set it. A handler's own
// messages do not inherit it. In a context of [WithKey] it is that key.
func KeyFrom(ctx context.Context) string {
	k, _ := ctx.Value(keyKey{}).(messageKey)
	return k.key
}

func withIncomingKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyKey{}, messageKey{key: key, incoming: true})
}

// outgoingKey returns the key that [WithKey] set for the messages of ctx.
func outgoingKey(ctx context.Context) string {
	k, _ := ctx.Value(keyKey{}).(messageKey)
	if k.incoming {
		return ""
	}
	return k.key
}

type stackKey struct{}

func withStack(ctx context.Context, stack []string) context.Context {
	return context.WithValue(ctx, stackKey{}, stack)
}

// stackFrom returns the call ids that led to ctx, the current one last.
func stackFrom(ctx context.Context) []string {
	stack, _ := ctx.Value(stackKey{}).([]string)
	return stack
}
