package rpc

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// dial opens the connection with the given role, P or C.
func (ep *amqpEpoch) dial(ctx context.Context, role string) (*amqp.Connection, error) {
	o, limits := ep.t.o, ep.t.limits
	name := o.Service + "@" + o.Instance + "/" + role
	conn, err := amqp.DialConfig(ep.t.uri, amqp.Config{
		Heartbeat:  limits.heartbeat,
		Properties: amqp.Table{"connection_name": name, "product": "matriq", "version": o.Version},
		Dial: func(network, address string) (net.Conn, error) {
			return ep.sockets.dial(ctx, network, address, limits)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", role, err)
	}
	ep.watch("connection "+role, conn)
	return conn, nil
}

// sockets are the TCP connections of an epoch, to be cut all at once.
type sockets struct {
	mu    sync.Mutex
	conns []net.Conn
	isCut bool
}

// dial looks the name up again each time.
func (s *sockets) dial(ctx context.Context, network, address string, limits amqpLimits) (net.Conn, error) {
	dialer := net.Dialer{Timeout: limits.dial}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, conn)
	if s.isCut {
		_ = conn.Close() // so that the handshake fails
	}
	return &timedConn{Conn: conn, write: limits.write}, nil
}

// cut closes the connections without a word. Whoever reads or writes on one
// fails at once.
func (s *sockets) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isCut = true
	for _, conn := range s.conns {
		_ = conn.Close() // a second close fails, to no effect
	}
}

// timedConn bounds each write, since amqp091-go does not and a broker under an
// alarm stops reading.
type timedConn struct {
	net.Conn
	write time.Duration
}

func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
