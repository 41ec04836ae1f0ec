package rival

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Caster publishes to a quorum queue like that of a service.
type Caster struct{ *link }

// NewCaster connects and declares the queue.
func NewCaster(url string) (*Caster, error) {
	l, err := dial(url)
	if err != nil {
		return nil, err
	}
	_, err = l.publish.QueueDeclare(CastQueue, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": int64(20), "x-overflow": "reject-publish",
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": CastQueue + ".dead", "x-dead-letter-strategy": "at-least-once",
	})
	if err != nil {
		return nil, err
	}
	return &Caster{l}, nil
}

var errNotStored = errors.New("the broker did not store a message")

// written is a cast that the broker owes a confirm for.
type written struct {
	at      time.Time
	confirm *amqp.DeferredConfirmation
}

// Cast publishes body again and again for a time, with at most window casts
// unconfirmed, and tells of each how long its confirm took. One goroutine writes
// and one waits for the oldest confirm, which is the least that it takes.
func (c *Caster) Cast(body []byte, window int, length time.Duration, took func(time.Duration)) error {
	slots := make(chan struct{}, window) // one for each cast, from before its write to its confirm
	unconfirmed := make(chan written, window)
	settled := make(chan error, 1)
	go func() { settled <- settle(unconfirmed, slots, took) }()
	end := time.Now().Add(length)
	var err error
	for err == nil {
		slots <- struct{}{}
		now := time.Now()
		if !now.Before(end) {
			break
		}
		var confirm *amqp.DeferredConfirmation
		confirm, err = c.publish.PublishWithDeferredConfirm(straight, CastQueue, true, false, amqp.Publishing{
			ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body,
		})
		if err == nil {
			unconfirmed <- written{now, confirm}
		}
	}
	close(unconfirmed)
	return errors.Join(err, <-settled)
}

func settle(unconfirmed <-chan written, slots <-chan struct{}, took func(time.Duration)) (err error) {
	for w := range unconfirmed {
		stored := w.confirm.Wait()
		<-slots
		if !stored {
			err = errNotStored
			continue
		}
		took(time.Since(w.at))
	}
	return err
}
