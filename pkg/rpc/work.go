package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// work serves a delivery of a work queue: a cast, or an event that failed
// before.
func (s *server) work(d *delivery) {
	if d.count >= suspicion {
		done, ok := s.suspects.wait(s.base, d.count)
		if !ok {
			d.nack()
			return
		}
		defer done()
	}
	in := storedInbound(d)
	s.attempt(d, in, s.endpoints[in.method])
}

// event serves a delivery of the queue of one subscription, which has no
// delivery limit. An event that was handed out before without being settled
// moves to the work queue, which has one: it may be what kills the workers.
func (s *server) event(d *delivery, e *endpoint) {
	in := storedInbound(d)
	in.method, in.event = e.Target, e.Source
	if d.redelivered {
		s.move(d, in, moved(d, workQueue(e.Service()), in.identity()))
		return
	}
	s.attempt(d, in, e)
}

var errUnknownMethod = errors.New("this program does not serve the method")

func (s *server) attempt(d *delivery, in inbound, e *endpoint) {
	kind := in.kind()
	if in.expired(time.Now()) {
		s.drop(d, in)
		return
	}
	if e == nil || e.Kind == KindCall {
		s.failed(d, in, &Error{Code: Internal, Message: messageInternal, Reason: reasonMethod, cause: errUnknownMethod})
		return
	}
	if !isJSON(d.contentType) {
		s.failed(d, in, malformed("the body is not JSON", nil))
		return
	}
	_, err := s.handle(s.base, e, kind, in, d.body)
	switch {
	case err == nil:
		d.ack()
	case s.base.Err() != nil && errors.Is(err, context.Canceled):
		d.nack()
	default:
		s.failed(d, in, err)
	}
}

// failed sends d to the retry queue of the next delay, or to the parking queue,
// unless its deadline comes first.
func (s *server) failed(d *delivery, in inbound, err error) {
	now := time.Now()
	if in.failedAt.IsZero() {
		in.failedAt = now
	}
	in.lastErr = shortError(edge(err))
	in.attempts++
	if reason := parkingReason(err, in.attempts, len(s.o.RetryDelays)); reason != "" {
		s.park(d, in, reason, err)
		return
	}
	delay := s.o.RetryDelays[in.attempts-1]
	if in.expired(now.Add(delay)) {
		s.log(slog.LevelWarn, "attempt failed, its deadline comes before the next one", in, err)
		s.drop(d, in)
		return
	}
	s.log(slog.LevelWarn, "attempt failed", in, err)
	if s.move(d, in, moved(d, retryQueue(s.serviceOf(d, in), delay), in.history())) {
		s.metrics.retries.WithLabelValues(s.label(in.method)).Inc()
	}
}

func (s *server) log(level slog.Level, msg string, in inbound, err error) {
	attrs := append(logAttrs(in.method, in, err), slog.String("key", in.key), slog.Int("attempts", in.attempts))
	s.o.Log.LogAttrs(s.base, level, msg, attrs...) //nolint:sloglint // its callers pass constants
}

// Why a message is parked.
const (
	parkedPermanent = "permanent" // its handler said so
	parkedInvalid   = "invalid"   // no handler can do it
	parkedAttempts  = "attempts"  // the last retry failed
)

// parkingReason is "" while another attempt makes sense.
func parkingReason(err error, attempts, delays int) string {
	switch {
	case errors.Is(err, ErrPermanent):
		return parkedPermanent
	case edge(err).Code == InvalidArgument:
		return parkedInvalid
	case attempts > delays:
		return parkedAttempts
	}
	return ""
}

func (s *server) park(d *delivery, in inbound, reason string, err error) {
	s.log(slog.LevelError, "attempt failed, the message is parked", in, err)
	set := in.history()
	set[headerParked], set[headerParkedAt] = reason, time.Now().UnixMilli()
	if s.move(d, in, moved(d, parkingQueue(s.serviceOf(d, in)), set)) {
		s.metrics.parked.WithLabelValues(s.label(in.method), reason).Inc()
	}
}

// drop ends work that has lost its sense.
func (s *server) drop(d *delivery, in inbound) {
	s.metrics.expired.WithLabelValues(s.label(in.method), string(in.kind())).Inc()
	d.ack()
}

// movePatience bounds how long a worker holds a message that it cannot pass on.
const movePatience = time.Minute

// move publishes e, which is d in another queue, and then settles d. When the
// broker does not take it, d goes back to where it came from.
func (s *server) move(d *delivery, in inbound, e *envelope) bool {
	ctx, cancel := context.WithTimeout(s.base, movePatience)
	defer cancel()
	if err := s.store(ctx, e); err != nil {
		s.o.Log.LogAttrs(ctx, slog.LevelError, "could not move a message",
			slog.String("method", in.method), slog.String("to", e.key), slog.Any("err", err))
		d.nack()
		return false
	}
	d.ack()
	return true
}

func (s *server) serviceOf(d *delivery, in inbound) string {
	for _, service := range s.services {
		if d.queue == workQueue(service) {
			return service
		}
	}
	return serviceOf(in.method)
}

func (in inbound) kind() Kind {
	if in.event != "" {
		return KindEvent
	}
	return KindCast
}

// storedInbound gives a message without a key one that lasts from its first
// failure on: Nameko's events have none.
func storedInbound(d *delivery) inbound {
	in := inboundOf(d)
	if in.key == "" {
		in.key = rand.Text()
	}
	return in
}

// identity is what a message must say of itself outside its first queue.
func (in inbound) identity() map[string]any {
	set := map[string]any{headerMethod: in.method, headerKey: in.key, headerRequestID: in.meta.RequestID}
	if in.event != "" {
		set[headerEvent] = in.event
	}
	return set
}

// history is identity with how often and why the message failed.
func (in inbound) history() map[string]any {
	set := in.identity()
	set[headerAttempt] = int64(in.attempts)
	set[headerError] = in.lastErr
	set[headerFailedAt] = in.failedAt.UnixMilli()
	return set
}

// shortError is safe to show and to keep: no text that anybody made up.
func shortError(e *Error) string {
	if e.Reason == "" {
		return string(e.Code)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Reason)
}
