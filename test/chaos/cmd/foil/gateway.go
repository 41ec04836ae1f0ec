package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const replyTimeout = 5 * time.Second

// gateway turns POST /register into messages.
type gateway struct {
	log *slog.Logger

	mu      sync.Mutex
	ch      *amqp.Channel // nil while there is no broker
	replies string        // queue of the current connection
	waiting map[string]chan registration
}

// serveGateway serves REST on addr, with and without a broker.
func serveGateway(ctx context.Context, log *slog.Logger, broker, addr string) error {
	g := &gateway{log: log, waiting: map[string]chan registration{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /register", g.register)
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: replyTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	go func() {
		failed <- hold(ctx, log, broker, func(conn *amqp.Connection) error { return g.use(ctx, conn) })
	}()
	return <-failed
}

// use takes replies from conn until it breaks.
func (g *gateway) use(ctx context.Context, conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	queue, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, queue.Name, "", true, true, false, false, nil)
	if err != nil {
		return err
	}
	g.set(ch, queue.Name)
	defer g.set(nil, "")
	for d := range deliveries {
		g.deliver(d)
	}
	return errors.New("the connection broke")
}

func (g *gateway) set(ch *amqp.Channel, replies string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ch, g.replies = ch, replies
}

func (g *gateway) deliver(d amqp.Delivery) {
	var r registration
	if json.Unmarshal(d.Body, &r) != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if waits := g.waiting[d.CorrelationId]; waits != nil {
		waits <- r
		delete(g.waiting, d.CorrelationId)
	}
}

// register is the published system's: insert, then two calls whose replies
// nobody waits for.
func (g *gateway) register(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), replyTimeout)
	defer cancel()
	var r registration
	err := json.NewDecoder(req.Body).Decode(&r)
	if err == nil {
		r, err = g.call(ctx, "rpc-student", r)
	}
	if err == nil {
		err = g.send(ctx, "rpc-enroll", "", r)
	}
	if err == nil {
		err = g.send(ctx, "rpc-email", "", r)
	}
	if err != nil {
		g.log.InfoContext(ctx, "not registered", slog.Any("error", err))
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": http.StatusServiceUnavailable}) // the client may have gone
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"results": "registered", "studentID": r.StudentID}) // the client may have gone
}

// call sends r and waits for the reply.
func (g *gateway) call(ctx context.Context, queue string, r registration) (registration, error) {
	id, reply := rand.Text(), make(chan registration, 1)
	g.mu.Lock()
	g.waiting[id] = reply
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.waiting, id)
	}()
	if err := g.send(ctx, queue, id, r); err != nil {
		return r, err
	}
	select {
	case r = <-reply:
		return r, nil
	case <-ctx.Done():
		return r, ctx.Err()
	}
}

var errNotStored = errors.New("the broker did not store the message")

// send publishes r and waits until the broker has it; id is set when a reply is
// wanted.
func (g *gateway) send(ctx context.Context, queue, id string, r registration) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	confirm, err := g.publish(ctx, queue, id, body)
	if err != nil {
		return err
	}
	stored, err := confirm.WaitContext(ctx)
	if err == nil && !stored {
		err = errNotStored
	}
	return err
}

func (g *gateway) publish(ctx context.Context, queue, id string, body []byte) (*amqp.DeferredConfirmation, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch == nil {
		return nil, amqp.ErrClosed
	}
	m := amqp.Publishing{DeliveryMode: amqp.Persistent, CorrelationId: id, Body: body}
	if id != "" {
		m.ReplyTo = g.replies
	}
	return g.ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, m)
}
