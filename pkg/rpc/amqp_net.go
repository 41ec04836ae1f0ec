package rpc

import (
	"context"
	"fmt"
	"net"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/deadpeer"
)

// dial opens the connection with the given role, P or C.
func (ep *amqpEpoch) dial(ctx context.Context, role string) (*amqp.Connection, error) {
	o, limits := ep.t.o, ep.t.limits
	name := o.Service + "@" + o.Instance + "/" + role
	conn, err := amqp.DialConfig(ep.t.uri, amqp.Config{
		Heartbeat:  limits.heartbeat,
		Properties: amqp.Table{"connection_name": name, "product": "matriq", "version": o.Version},
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := ep.sockets.dial(ctx, network, address, limits)
			if err != nil {
				return nil, err
			}
			ep.spawn(conn.flush) // an epoch that is over has cut it
			return conn, nil
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
func (s *sockets) dial(ctx context.Context, network, address string, limits amqpLimits) (*batchedConn, error) {
	socket, err := deadpeer.Dialer(limits.dial).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := newBatchedConn(socket, limits.write)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, conn)
	if s.isCut {
		_ = conn.Close() // so that the handshake fails
	}
	return conn, nil
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
