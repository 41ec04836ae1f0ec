package rpc

import (
	"context"
	"mime"
	"strings"
	"time"
)

const (
	contentJSON = "application/json"
	encodingUTF = "utf-8"
)

// request is transient: when the broker restarts, its caller has been told that
// the answer is lost. The broker drops it unread once its deadline has passed.
func request(ctx context.Context, m Message, from origin, id, replyTo string) *envelope {
	return &envelope{
		exchange: exchangeRPC, key: m.Target, mandatory: true, transient: true,
		contentType: contentJSON, contentEncoding: encodingUTF,
		correlationID: id, replyTo: replyTo,
		expiration: max(time.Until(m.Deadline), time.Millisecond),
		headers:    headersOf(ctx, m, from),
		body:       m.Body,
	}
}

// stored is the envelope of a cast or an event. It has no expiration, although
// it may have a deadline: an expired message would be dead-lettered and parked. A
// cast goes straight to the queue of its service: to match a topic costs the broker
// a quarter of what a message costs.
func stored(ctx context.Context, m Message, from origin) *envelope {
	e := &envelope{
		exchange: exchangeDefault, mandatory: true,
		contentType: contentJSON, contentEncoding: encodingUTF,
		headers: headersOf(ctx, m, from),
		body:    m.Body,
	}
	service, name, _ := strings.Cut(m.Target, ".")
	if m.Kind == KindEvent {
		e.exchange, e.key, e.mandatory = eventExchange(service), name, false
		return e
	}
	e.key = workQueue(service)
	e.headers[headerMethod] = m.Target
	return e
}

// reply answers the request d. It comes back, to be counted, when its caller has
// gone and its queue with it. It has no content encoding: JSON is UTF-8, and
// Nameko's client takes what does not say for that. A caller of this package names
// its reply queue, to which the reply goes straight, as a cast does.
func reply(d *delivery, body []byte) *envelope {
	exchange := exchangeRPC
	if strings.HasPrefix(d.replyTo, replyPrefix) {
		exchange = exchangeDefault
	}
	return &envelope{
		exchange: exchange, key: d.replyTo, mandatory: true, transient: true,
		contentType:   contentJSON,
		correlationID: d.correlationID,
		body:          body,
	}
}

// moved is d on its way to another queue of the same service.
func moved(d *delivery, queue string, set map[string]any) *envelope {
	e := &envelope{
		exchange: exchangeDefault, key: queue, mandatory: true,
		contentType: d.contentType, contentEncoding: d.contentEncoding,
		headers: keptHeaders(d.headers),
		body:    d.body,
	}
	for name, value := range set {
		if value == nil {
			delete(e.headers, name)
			continue
		}
		e.headers[name] = value
	}
	return e
}

// isJSON accepts a missing content type, which kills a Nameko worker.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == contentJSON {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && t == contentJSON
}
