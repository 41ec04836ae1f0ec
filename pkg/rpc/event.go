package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Event declares something that source tells whoever subscribed. T is a struct
// without a field "more".
type Event[T any] struct{ source, kind string }

// NewEvent declares the event kind of the service source.
func NewEvent[T any](source, kind string) Event[T] {
	mustName(source + "." + kind)
	return Event[T]{source: source, kind: kind}
}

// Name returns "source.type".
func (e Event[T]) Name() string { return e.source + "." + e.kind }

// Emit returns nil once the broker has stored the event for every subscriber.
func (e Event[T]) Emit(ctx context.Context, to Caster, payload T) error {
	return e.emit(ctx, to, payload, nil)
}

// emit tells several at once, in one message that is stored as a whole. The key of
// ctx is the first one's.
func (e Event[T]) emit(ctx context.Context, to Caster, first T, more []keyed[T]) error {
	body, err := encodePayloads(first, more)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.Name(), err)
	}
	return to.Cast(ctx, newMessage(ctx, KindEvent, e.Name(), body))
}

// keyed is a payload with the key that it would have in a message of its own.
type keyed[T any] struct {
	Key   string `json:"key"`
	Event T      `json:"event"`
}

// On returns the route by which handler, a "service.method" name of the
// subscriber, receives e. All replicas of that service share one queue, so each
// event is handled by one of them, with the retries of a cast. Payloads that came
// in one message are handled one after the other, and all again after a failure.
func (e Event[T]) On(handler string, fn func(context.Context, T) error) Route {
	return e.on(handler, func(ctx context.Context, first T, more []keyed[T]) error {
		if err := fn(ctx, first); err != nil {
			return err
		}
		for _, another := range more {
			if err := fn(handling(ctx, another.Key), another.Event); err != nil {
				return err
			}
		}
		return nil
	})
}

// OnAll is [Event.On] for a subscriber that handles the payloads of a message, at
// least one, together. [KeyFrom] gives the key of the first.
func (e Event[T]) OnAll(handler string, fn func(context.Context, []T) error) Route {
	return e.on(handler, func(ctx context.Context, first T, more []keyed[T]) error {
		all := []T{first}
		for _, another := range more {
			all = append(all, another.Event)
		}
		return fn(ctx, all)
	})
}

func (e Event[T]) on(handler string, fn func(ctx context.Context, first T, more []keyed[T]) error) Route {
	mustName(handler)
	return Route{Kind: KindEvent, Target: handler, Source: e.Name(), serve: func(ctx context.Context, body []byte) ([]byte, error) {
		first, more, err := decodePayloads[T](body)
		if err != nil {
			return nil, &Error{Code: InvalidArgument, Message: "the event could not be read", cause: err}
		}
		return nil, fn(ctx, first, more)
	}}
}

// moreField has all payloads of a message but the first, whose fields stand beside
// it, so that a subscriber that knows of no others finds one as it always was.
const moreField = `"more":`

func encodePayloads[T any](first T, more []keyed[T]) ([]byte, error) {
	body, err := json.Marshal(first)
	if err != nil || len(more) == 0 {
		return body, err
	}
	fields, ok := bytes.CutSuffix(body, []byte("}"))
	if !ok {
		return nil, fmt.Errorf("several payloads, and a %T is no object", first)
	}
	others, err := json.Marshal(more)
	if err != nil {
		return nil, err
	}
	if len(fields) > len("{") {
		fields = append(fields, ',')
	}
	return append(slices.Concat(fields, []byte(moreField), others), '}'), nil
}

func decodePayloads[T any](body []byte) (first T, more []keyed[T], err error) {
	if err := json.Unmarshal(body, &first); err != nil {
		return first, nil, err
	}
	if !bytes.Contains(body, []byte(moreField)) {
		return first, nil, nil
	}
	var others struct {
		More []keyed[T] `json:"more"`
	}
	err = json.Unmarshal(body, &others)
	return first, others.More, err
}
