package rival

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Patience is how long a request waits in its queue at most.
const Patience = 5 * time.Second

// Caller makes calls. Its methods may be called from any goroutine.
type Caller struct {
	*link
	method  string // and the name of its queue
	replyTo string
	typeOf  func(deadline time.Time) string // of a request; nil: none
	last    atomic.Uint64
	pool    sync.Pool // of channels for one outcome

	mu      sync.Mutex
	waiting map[string]chan outcome
}

type outcome struct {
	body []byte
	err  error
}

// NewCaller connects, to call method, and takes replies.
func NewCaller(url, method string) (*Caller, error) {
	l, err := dial(url)
	if err != nil {
		return nil, err
	}
	c := &Caller{link: l, method: method, waiting: make(map[string]chan outcome), pool: sync.Pool{New: func() any { return make(chan outcome, 1) }}}
	ch, err := l.c.Channel()
	if err != nil {
		return nil, err
	}
	queue, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	c.replyTo = queue.Name
	replies, err := ch.Consume(queue.Name, "", true, true, false, false, nil)
	if err != nil {
		return nil, err
	}
	go c.receive(replies)
	go c.returned(l.publish.NotifyReturn(make(chan amqp.Return, 512)))
	return c, nil
}

func (c *Caller) receive(replies <-chan amqp.Delivery) {
	for d := range replies {
		c.settle(d.CorrelationId, outcome{body: d.Body})
	}
}

func (c *Caller) returned(requests <-chan amqp.Return) {
	for r := range requests {
		c.settle(r.CorrelationId, outcome{err: errReturned})
	}
}

func (c *Caller) settle(id string, o outcome) {
	c.mu.Lock()
	waits := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if waits != nil {
		waits <- o
	}
}

// messageType is what a request takes along.
func (c *Caller) messageType() string {
	if c.typeOf == nil {
		return ""
	}
	return c.typeOf(time.Now().Add(Patience))
}

// Call sends body and returns the reply.
func (c *Caller) Call(ctx context.Context, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	id := strconv.FormatUint(c.last.Add(1), 36)
	waits, _ := c.pool.Get().(chan outcome)
	c.mu.Lock()
	c.waiting[id] = waits
	c.mu.Unlock()
	_, err := c.publish.PublishWithDeferredConfirm(straight, c.method, true, false, amqp.Publishing{
		Type: c.messageType(), ContentType: "application/json", DeliveryMode: amqp.Transient, Expiration: "5000",
		CorrelationId: id, ReplyTo: c.replyTo, Body: body,
	})
	if err != nil {
		return nil, err
	}
	select {
	case o := <-waits:
		c.pool.Put(waits)
		return o.body, o.err
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id) // waits is not used again: an outcome may still come
		c.mu.Unlock()
		return nil, ctx.Err()
	}
}
