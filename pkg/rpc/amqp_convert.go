package rpc

import (
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const maxShortString = 255

// checkAMQP refuses what cannot be written. amqp091-go finds out in the middle
// of a frame, which costs everybody the connection.
func checkAMQP(e *envelope) error {
	for _, s := range []string{e.exchange, e.key, e.correlationID, e.replyTo, e.contentType, e.contentEncoding, e.messageType} {
		if len(s) > maxShortString {
			return fmt.Errorf("a property is %d bytes long, the most is %d", len(s), maxShortString)
		}
	}
	for name := range e.headers {
		if len(name) > maxShortString {
			return fmt.Errorf("the name of a header is %d bytes long, the most is %d", len(name), maxShortString)
		}
	}
	if err := amqp.Table(e.headers).Validate(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return nil
}

// toAMQP sets no priority and no time, as Nameko does. The id is there to know
// a returned envelope by and means nothing to its receiver.
func toAMQP(e *envelope, id string) amqp.Publishing {
	m := amqp.Publishing{
		Headers:         e.headers,
		ContentType:     e.contentType,
		ContentEncoding: e.contentEncoding,
		Type:            e.messageType,
		DeliveryMode:    amqp.Persistent,
		CorrelationId:   e.correlationID,
		ReplyTo:         e.replyTo,
		MessageId:       id,
		Body:            e.body,
	}
	if e.transient {
		m.DeliveryMode = amqp.Transient
	}
	if e.expiration > 0 {
		m.Expiration = strconv.FormatInt(max(1, e.expiration.Milliseconds()), 10)
	}
	return m
}

func fromAMQP(d *amqp.Delivery) envelope {
	e := envelope{
		exchange:        d.Exchange,
		key:             d.RoutingKey,
		contentType:     d.ContentType,
		contentEncoding: d.ContentEncoding,
		messageType:     d.Type,
		correlationID:   d.CorrelationId,
		replyTo:         d.ReplyTo,
		transient:       d.DeliveryMode == amqp.Transient,
		headers:         d.Headers,
		body:            d.Body,
	}
	if d.Expiration == "" {
		return e
	}
	if ms, err := strconv.ParseInt(d.Expiration, 10, 64); err == nil {
		e.expiration = time.Duration(ms) * time.Millisecond
	}
	return e
}

// deliveryCount reads what quorum queues count; classic queues say only
// whether a delivery is the first.
func deliveryCount(d *amqp.Delivery) int {
	switch n := d.Headers["x-delivery-count"].(type) {
	case int64:
		return int(n)
	case int32:
		return int(n)
	case int16:
		return int(n)
	}
	if d.Redelivered {
		return 1
	}
	return 0
}
