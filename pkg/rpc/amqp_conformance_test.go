package rpc_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/testenv"
)

func TestConformance_amqp(t *testing.T) {
	t.Parallel()
	rpctest.Conformance(t, func(t *testing.T) rpctest.Broker {
		t.Helper()
		url := testenv.AMQP(t)
		proxy, through := rpc.NewProxy(t, url)
		f := newForeigner(t, url)
		var programs programs
		return rpctest.Broker{
			Connect: func(o rpc.Options) *rpc.Conn { return programs.connect(t, through, o) },
			Publish: f.publish,
			Tap:     f.tap,
			Cut:     proxy.Cut,
			Block: func(blocked bool) {
				if blocked {
					proxy.Block()
				} else {
					proxy.Unblock()
				}
				programs.await(t, blocked)
			},
		}
	})
}

// programs are the connections of one test.
type programs struct {
	mu    sync.Mutex
	conns []*rpc.Conn
}

func (p *programs) connect(t *testing.T, url string, o rpc.Options) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(url, o)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conn)
	return conn
}

// await waits until every program that is not closed knows that it is blocked,
// or that it is not.
func (p *programs) await(t *testing.T, blocked bool) {
	t.Helper()
	p.mu.Lock()
	conns := slices.Clone(p.conns)
	p.mu.Unlock()
	deadline := time.Now().Add(20 * time.Second)
	for _, conn := range conns {
		for err := conn.Ready(); errors.Is(err, rpc.ErrBlocked) != blocked && !errors.Is(err, rpc.ErrClosing); err = conn.Ready() {
			if time.Now().After(deadline) {
				t.Fatalf("ready = %v, want blocked %v", err, blocked)
			}
			<-time.After(time.Millisecond)
		}
	}
}

// foreigner speaks AMQP by hand, past the proxy.
type foreigner struct {
	t    *testing.T
	conn *amqp.Connection

	mu      sync.Mutex
	ch      *amqp.Channel
	returns chan amqp.Return
}

func newForeigner(t *testing.T, url string) *foreigner {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &foreigner{t: t, conn: conn, ch: channel(t, conn)}
	if err := f.ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	f.returns = f.ch.NotifyReturn(make(chan amqp.Return, 1))
	return f
}

func channel(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func (f *foreigner) publish(w rpc.Wire) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	message := amqp.Publishing{
		ContentType: w.ContentType, ContentEncoding: w.ContentEncoding,
		CorrelationId: w.CorrelationID, ReplyTo: w.ReplyTo, Headers: w.Headers, Body: w.Body,
	}
	if w.Expiration > 0 {
		message.Expiration = strconv.FormatInt(w.Expiration.Milliseconds(), 10)
	}
	confirm, err := f.ch.PublishWithDeferredConfirmWithContext(f.t.Context(), w.Exchange, w.Key, true, false, message)
	if err != nil {
		return err
	}
	if !confirm.Wait() {
		return errors.New("refused")
	}
	select {
	case r := <-f.returns:
		return errors.New(r.ReplyText)
	default:
		return nil
	}
}

func (f *foreigner) tap(exchange, key string, fn func(rpc.Wire)) error {
	ch, err := f.conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return err
	}
	if err := ch.QueueBind(q.Name, key, exchange, false, nil); err != nil {
		return err
	}
	deliveries, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		return err
	}
	go func() {
		for d := range deliveries {
			fn(rpc.Wire{
				Exchange: d.Exchange, Key: d.RoutingKey,
				ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
				CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Headers: d.Headers, Body: d.Body,
			})
		}
	}()
	return nil
}
