package rival

import amqp "github.com/rabbitmq/amqp091-go"

// Worker answers requests with what handle makes of their bodies.
type Worker struct{ *link }

// NewWorker connects and serves method until Close.
func NewWorker(url, method string, handle func([]byte) ([]byte, error)) (*Worker, error) {
	l, err := dial(url)
	if err != nil {
		return nil, err
	}
	ch, err := l.c.Channel()
	if err != nil {
		return nil, err
	}
	if _, err := ch.QueueDeclare(method, true, false, false, false, nil); err != nil {
		return nil, err
	}
	if err := ch.Qos(Prefetch, 0, false); err != nil {
		return nil, err
	}
	requests, err := ch.Consume(method, "", false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	w := &Worker{l}
	go func() {
		for d := range requests {
			go w.serve(&d, handle)
		}
	}()
	return w, nil
}

// serve leaves a request that fails unsettled: the broker gives it to another
// worker once this one is gone.
func (w *Worker) serve(d *amqp.Delivery, handle func([]byte) ([]byte, error)) {
	body, err := handle(d.Body)
	if err != nil {
		return
	}
	confirm, err := w.publish.PublishWithDeferredConfirm(straight, d.ReplyTo, true, false, amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Transient, CorrelationId: d.CorrelationId, Body: body,
	})
	if err != nil {
		return
	}
	<-confirm.Done()
	if confirm.Acked() {
		_ = d.Ack(false) // fails when the connection is gone, and the request with it
	}
}

// Bytes is a handler that gives back what it got.
func Bytes(body []byte) ([]byte, error) { return body, nil }
