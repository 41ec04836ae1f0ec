package rpc

import (
	"fmt"
	"time"
)

// Wire is a message as a foreign program sends and sees it, for tests that
// speak the protocol by hand.
type Wire struct {
	Exchange, Key                string
	ContentType, ContentEncoding string
	Type                         string
	CorrelationID, ReplyTo       string
	Expiration                   time.Duration
	Headers                      map[string]any
	Body                         []byte
}

// Publish sends w as a foreign program would, without any of this package's
// headers. It fails when no queue is bound.
func (b *MemoryBroker) Publish(w Wire) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.route(&envelope{
		exchange: w.Exchange, key: w.Key,
		contentType: w.ContentType, contentEncoding: w.ContentEncoding, messageType: w.Type,
		correlationID: w.CorrelationID, replyTo: w.ReplyTo,
		expiration: w.Expiration, headers: w.Headers, body: w.Body,
	}) {
		return fmt.Errorf("publish %s: %w", w.Key, errUnroutable)
	}
	return nil
}

// Tap gives fn a copy of all that is sent to exchange under a matching key, in
// goroutines of their own. It declares the exchange.
func (b *MemoryBroker) Tap(exchange, key string, fn func(Wire)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.declareExchange(Exchange{Name: exchange, Kind: "topic"}); err != nil {
		return err
	}
	q := newMemoryQueue(b, Queue{})
	q.sink = func(e *envelope) { fn(wireOf(e)) }
	b.exchanges[exchange].bind(key, q)
	return nil
}

func wireOf(e *envelope) Wire {
	return Wire{
		Exchange: e.exchange, Key: e.key,
		ContentType: e.contentType, ContentEncoding: e.contentEncoding, Type: e.messageType,
		CorrelationID: e.correlationID, ReplyTo: e.replyTo,
		Expiration: e.expiration, Headers: e.headers, Body: e.body,
	}
}
