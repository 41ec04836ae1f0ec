package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Method declares a call once, for both sides: "service.method", the types of
// its arguments and reply, and how long a caller waits at most.
//
// Req is a struct. Its exported fields are the arguments, in the order in which
// Nameko clients give them by position; their json names are the keyword names.
type Method[Req, Reply any] struct {
	name       string
	timeout    time.Duration
	idempotent bool
	byKey      bool
	attended   bool
	plain      bool // the type of the reply
}

// NewMethod declares a method. It panics on a name that is not
// "service.method", since names are constants of the program.
func NewMethod[Req, Reply any](name string, timeout time.Duration) Method[Req, Reply] {
	mustName(name)
	return Method[Req, Reply]{name: name, timeout: timeout, plain: isPlain(reflect.TypeFor[Reply]())}
}

// Idempotent returns m with the promise that running it twice is the same as
// running it once, so that the library may repeat a call whose answer was lost.
func (m Method[Req, Reply]) Idempotent() Method[Req, Reply] {
	m.idempotent = true
	return m
}

// IdempotentByKey returns m with that promise for calls that have a key, by
// [WithKey]: the handler tells a repeat by [KeyFrom].
func (m Method[Req, Reply]) IdempotentByKey() Method[Req, Reply] {
	m.byKey = true
	return m
}

// Attended returns m whose calls do not wait for a service that is down: they
// fail at once, and have not run, when no replica takes requests. Each call asks
// the broker first, which takes about as long as a short call, and a replica may
// still stop in between.
func (m Method[Req, Reply]) Attended() Method[Req, Reply] {
	m.attended = true
	return m
}

// Name returns "service.method".
func (m Method[Req, Reply]) Name() string { return m.name }

// Call asks the owner of m and waits for its answer, for the shorter of the
// method's timeout and the deadline of ctx. Failures are [*Error]s.
func (m Method[Req, Reply]) Call(ctx context.Context, c Caller, req Req) (Reply, error) {
	var reply Reply
	body, err := bodyOf(req)
	if err != nil {
		return reply, &Error{Code: Internal, Message: "the request could not be written", Ran: RanNo, cause: fmt.Errorf("encode %s: %w", m.name, err)}
	}
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	msg := newMessage(ctx, KindCall, m.name, body)
	msg.Deadline, _ = ctx.Deadline()
	msg.Idempotent, msg.Attended = m.idempotent || m.byKey && msg.Key != "", m.attended
	result, err := c.Call(ctx, msg)
	if err != nil {
		return reply, err
	}
	if reply, err = m.decode(result); err != nil {
		return reply, &Error{Code: Internal, Message: "the reply could not be read", Ran: RanYes, cause: fmt.Errorf("decode reply of %s: %w", m.name, err)}
	}
	return reply, nil
}

// Handle returns the route that serves m with fn. The context of fn ends with
// the caller's deadline, and after the method's timeout when it has none. What
// fn returns is sent as it is when there is an [*Error] in its chain; any other
// error is logged and sent as [Internal], without its text.
func (m Method[Req, Reply]) Handle(fn func(context.Context, Req) (Reply, error)) Route {
	return Route{Kind: KindCall, Target: m.name, timeout: m.timeout, serve: func(ctx context.Context, body []byte) ([]byte, error) {
		req, err := argsOf[Req](body)
		if err != nil {
			return nil, err
		}
		reply, err := fn(ctx, req)
		if err != nil {
			return nil, err
		}
		return m.encode(reply)
	}}
}

// encode writes the body of the reply.
func (m Method[Req, Reply]) encode(reply Reply) ([]byte, error) {
	if m.plain {
		if body, ok := encodePlainResult(&reply); ok {
			return body, nil
		}
	}
	result, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	return encodeResult(result), nil
}

// decode reads the result of the reply.
func (m Method[Req, Reply]) decode(result []byte) (Reply, error) {
	if m.plain {
		var plain Reply
		if decodePlainResult(result, &plain) {
			return plain, nil
		}
	}
	var reply Reply // on the heap, unlike the first
	err := json.Unmarshal(result, &reply)
	return reply, err
}

// Cast declares a message that is done once by one worker, without a reply. A
// Nameko client can also call it, and then gets null when it is done.
type Cast[Args any] struct{ name string }

// NewCast declares a cast; the rules for names and Args are [NewMethod]'s.
func NewCast[Args any](name string) Cast[Args] {
	mustName(name)
	return Cast[Args]{name: name}
}

// Name returns "service.method".
func (c Cast[Args]) Name() string { return c.name }

// Send returns nil once the broker has stored the cast. The key of ctx, if set
// by [WithKey], is its idempotency key, else it gets a random one.
func (c Cast[Args]) Send(ctx context.Context, to Caster, args Args) error {
	m, err := c.Message(ctx, args)
	if err != nil {
		return err
	}
	return to.Cast(ctx, m)
}

// SendBefore is Send for work that loses its sense at deadline: the workers
// drop it from then on, and count it.
func (c Cast[Args]) SendBefore(ctx context.Context, to Caster, args Args, deadline time.Time) error {
	m, err := c.Message(ctx, args)
	if err != nil {
		return err
	}
	m.Deadline = deadline
	return to.Cast(ctx, m)
}

// Message encodes the cast for an outbox.
func (c Cast[Args]) Message(ctx context.Context, args Args) (Message, error) {
	body, err := bodyOf(args)
	if err != nil {
		return Message{}, fmt.Errorf("encode %s: %w", c.name, err)
	}
	return newMessage(ctx, KindCast, c.name, body), nil
}

// Handle returns the route that does c with fn. An error of fn is a failed
// attempt: the cast is tried again later and parked in the end, at once when
// the error is [ErrPermanent] or [InvalidArgument]. fn may see a cast twice and
// tells by [KeyFrom].
func (c Cast[Args]) Handle(fn func(context.Context, Args) error) Route {
	return Route{Kind: KindCast, Target: c.name, serve: func(ctx context.Context, body []byte) ([]byte, error) {
		args, err := argsOf[Args](body)
		if err != nil {
			return nil, err
		}
		return nil, fn(ctx, args)
	}}
}

// Route is one entry of what a program serves.
type Route struct {
	Kind Kind
	// Target is "service.method" of the handler.
	Target string
	// Source is "source.type" of the event, for events alone.
	Source string

	timeout time.Duration
	// serve returns the body of the reply; nil: it has no result.
	serve func(ctx context.Context, body []byte) (reply []byte, err error)
}

// Service returns the part of Target before the dot.
func (r Route) Service() string { return serviceOf(r.Target) }

func serviceOf(target string) string {
	service, _, _ := strings.Cut(target, ".")
	return service
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)

func mustName(name string) {
	if !namePattern.MatchString(name) {
		panic("rpc: " + name + " is not service.method in lower case")
	}
}
