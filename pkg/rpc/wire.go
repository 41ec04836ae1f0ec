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
// the answer is lost. The broker drops it unread once its deadline has passed. In a
// queue it is for workers of this package alone: no topic is matched, and hardly a
// header is read. Without one it goes where Nameko's workers take requests as well, and
// says what they read.
func request(ctx context.Context, m Message, from origin, queue, id, replyTo string) *envelope {
	e := &envelope{
		mandatory: true, transient: true,
		contentType:   contentJSON,
		correlationID: id, replyTo: replyTo,
		expiration: max(time.Until(m.Deadline), time.Millisecond),
		body:       m.Body,
	}
	if queue != "" {
		e.exchange, e.key = exchangeDefault, queue
		e.say(ctx, m, from)
		return e
	}
	e.exchange, e.key = exchangeRPC, m.Target
	e.contentEncoding, e.headers = encodingUTF, headersOf(ctx, m, from)
	return e
}

// stored is the envelope of a cast or an event. It has no expiration, although
// it may have a deadline: an expired message would be dead-lettered and parked. A
// cast goes straight to the queue of its service: to match a topic costs the broker
// a quarter of what a message costs.
func stored(ctx context.Context, m Message, from origin) *envelope {
	if m.Kind == KindEvent {
		source, name, _ := strings.Cut(m.Target, ".")
		return &envelope{
			exchange: eventExchange(source), key: name,
			contentType: contentJSON, contentEncoding: encodingUTF,
			headers: headersOf(ctx, m, from),
			body:    m.Body,
		}
	}
	e := &envelope{
		exchange: exchangeDefault, key: workQueue(serviceOf(m.Target)), mandatory: true,
		contentType: contentJSON,
		body:        m.Body,
	}
	e.say(ctx, m, from)
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
		contentType: d.contentType, contentEncoding: d.contentEncoding, messageType: d.messageType,
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
