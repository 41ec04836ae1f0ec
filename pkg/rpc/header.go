package rpc

import (
	"context"
	"crypto/rand"
	"maps"
	"strings"
	"time"
)

// Headers with Nameko's prefix are Nameko's. The others are ours; a peer that
// does not know them loses nothing but what they say.
const (
	headerStack     = "nameko.call_id_stack"
	headerLanguage  = "nameko.language"
	headerRequestID = "nameko.request_id"
	headerClientIP  = "nameko.client_ip"

	headerTrace = "traceparent"
	// headerDeadline is in Unix milliseconds.
	headerDeadline = "matriq.deadline"
	headerKey      = "matriq.key"
	// headerAttempt counts the attempts that failed.
	headerAttempt = "matriq.attempt"
	// headerMethod is "service.method" of the handler, since the routing key of
	// a message that was retried or parked is the name of a queue.
	headerMethod = "matriq.method"
	// headerEvent is "source.type"; casts have none.
	headerEvent = "matriq.event"
	// headerError is the code and the reason of the latest failure.
	headerError = "matriq.error"
	// headerFailedAt is when the first attempt failed, in Unix milliseconds.
	headerFailedAt = "matriq.failed_at"
	// headerParked says why a message was parked.
	headerParked = "matriq.parked"
	// headerParkedAt is in Unix milliseconds.
	headerParkedAt = "matriq.parked_at"
)

// maxHeader bounds a text header that we pass on or log.
const maxHeader = 256

// inbound is what the headers of a delivery say. What is missing or has a wrong
// type is zero: headers are optional, and nobody's message fails by them.
type inbound struct {
	meta     Meta
	stack    callIDs
	trace    string
	deadline time.Time
	key      string
	attempts int
	method   string
	event    string
	lastErr  string
	failedAt time.Time
	parked   string
	parkedAt time.Time
}

func readHeaders(h map[string]any) inbound {
	return inbound{
		meta:     Meta{Language: text(h[headerLanguage]), RequestID: text(h[headerRequestID]), ClientIP: text(h[headerClientIP])},
		stack:    callIDsOf(h[headerStack]),
		trace:    text(h[headerTrace]),
		deadline: instant(h[headerDeadline]),
		key:      text(h[headerKey]),
		attempts: int(max(0, min(number(h[headerAttempt]), 1_000_000))),
		method:   text(h[headerMethod]),
		event:    text(h[headerEvent]),
		lastErr:  text(h[headerError]),
		failedAt: instant(h[headerFailedAt]),
		parked:   text(h[headerParked]),
		parkedAt: instant(h[headerParkedAt]),
	}
}

// inboundOf reads d and gives a request without an id one for the log.
func inboundOf(d *delivery) inbound {
	in := said(d)
	if in.meta.RequestID == "" {
		in.meta.RequestID = rand.Text()
	}
	return in
}

// expired tells whether the work has lost its sense at t.
func (in inbound) expired(t time.Time) bool {
	return !in.deadline.IsZero() && !t.Before(in.deadline)
}

// headersOf returns what m takes along. Empty values are left out.
func headersOf(ctx context.Context, m Message, from origin) map[string]any {
	h := make(map[string]any, 8)
	h[headerStack] = stackHeader(ctx, from)
	setText(h, headerLanguage, m.Meta.Language)
	setText(h, headerRequestID, m.Meta.RequestID)
	setText(h, headerClientIP, m.Meta.ClientIP)
	setText(h, headerTrace, m.TraceParent)
	setText(h, headerKey, m.Key)
	if !m.Deadline.IsZero() {
		h[headerDeadline] = m.Deadline.UnixMilli()
	}
	return h
}

func setText(h map[string]any, name, value string) {
	if value != "" {
		h[name] = value
	}
}

// origin is the call id of what no handler sends, as a stack of its own and as the
// header of that.
type origin struct {
	stack  callIDs
	header any
}

func newOrigin(id string) origin {
	stack := callIDs("").with(id)
	return origin{stack: stack, header: stack.header()}
}

// stackHeader is an AMQP array. A message that no handler sent starts a stack
// with the id of the connection, as Nameko's standalone client does.
func stackHeader(ctx context.Context, from origin) any {
	if stack := stackFrom(ctx); stack != "" {
		return stack.header()
	}
	return from.header
}

// keptHeaders returns those of h that survive a move to another queue. The
// broker's own must not: it takes a message whose x-death it wrote itself for
// one that goes in circles, and drops it.
func keptHeaders(h map[string]any) map[string]any {
	kept := maps.Clone(h)
	if kept == nil {
		kept = map[string]any{}
	}
	maps.DeleteFunc(kept, func(name string, _ any) bool {
		return strings.HasPrefix(name, "x-")
	})
	return kept
}

func text(v any) string {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	}
	if len(s) > maxHeader {
		return ""
	}
	return strings.ToValidUTF8(s, "�")
}

// number reads any of AMQP's integers.
func number(v any) int64 {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case int64:
		return v
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	}
	return 0
}

func instant(v any) time.Time {
	ms := number(v)
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
