package rpc

import (
	"context"
	"errors"
	"strings"
	"time"
)

// request serves a delivery of a request queue or a call queue: it replies, and
// settles last. The key of what came straight to its queue is the queue's name.
func (s *server) request(d *delivery) {
	in := inboundOf(d)
	if d.exchange != exchangeDefault {
		in.method = d.key
	}
	if in.expired(time.Now()) {
		s.metrics.expired.WithLabelValues(s.label(in.method), string(KindCall)).Inc()
		d.ack()
		return
	}
	life := s.base // of whoever waits for the answer
	if !in.deadline.IsZero() {
		var cancel context.CancelFunc
		life, cancel = within(life, in.deadline)
		defer cancel()
	}
	body, err := s.answer(life, d, in)
	if d.replyTo != "" {
		s.reply(life, d, body, err)
	}
	d.ack()
}

func (s *server) answer(life context.Context, d *delivery, in inbound) ([]byte, error) {
	e := s.endpoints[in.method]
	if e == nil || e.Kind == KindEvent {
		_, method, _ := strings.Cut(in.method, ".")
		return nil, noSuchMethod(method)
	}
	if !isJSON(d.contentType) {
		return nil, malformed("the body is not JSON", nil)
	}
	reply, err := s.handle(life, e, KindCall, in, d.body)
	if errors.Is(err, context.Canceled) && s.base.Err() != nil {
		return nil, &Error{Code: Unavailable, Message: messageUnavailable, Reason: reasonStopping}
	}
	return reply, err
}

// replyPatience is how long a reply is worth keeping when the caller gave no
// deadline.
const replyPatience = 5 * time.Second

// reply hands the answer to the broker, again after a lost connection, until
// life ends, which is the caller's deadline, or its queue is gone. Giving the
// request back instead would run its handler a second time.
func (s *server) reply(life context.Context, d *delivery, body []byte, err error) {
	switch {
	case err != nil:
		body = encodeReply(nil, edge(err))
	case body == nil:
		body = encodeReply(nil, nil)
	}
	if _, bounded := life.Deadline(); !bounded {
		var cancel context.CancelFunc
		life, cancel = context.WithTimeout(life, replyPatience)
		defer cancel()
	}
	if err := s.store(life, reply(d, body)); err != nil {
		s.metrics.repliesUnsent.Inc()
	}
}

// label keeps the names that peers make up out of the metrics.
func (s *server) label(method string) string {
	if s.endpoints[method] == nil {
		return "unknown"
	}
	return method
}
