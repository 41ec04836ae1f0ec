package rpc

import (
	"net"
	"sync"
	"time"
)

// batchedConn gathers what is written while the socket is busy, or before the
// flusher gets to run, and hands it to the socket in one piece. amqp091-go writes
// to the socket for every envelope and every ack; under load most of what those
// cost, here and at the broker, is the system call and the packet.
//
// What Write has taken counts as sent: an error of the socket is told by the next
// Write, and ends the connection, so that whoever waits for a confirm learns of it
// as well. Each write to the socket has a deadline, since amqp091-go sets none and
// a broker under an alarm stops reading. At most maxBatch bytes wait, and then
// Write does.
type batchedConn struct {
	net.Conn
	limit time.Duration // of one write to the socket

	mu      sync.Mutex
	room    sync.Cond // told when pending was taken, and of the end
	pending []byte
	err     error // why nothing more is taken

	filled chan struct{} // tells the flusher that pending is not empty
	closed chan struct{}
}

// maxBatch is enough for the window of a lane and its acks, of usual size.
const maxBatch = 256 << 10

// newBatchedConn returns conn with a flusher, which runs until the connection is
// closed or fails.
func newBatchedConn(conn net.Conn, limit time.Duration) *batchedConn {
	c := &batchedConn{Conn: conn, limit: limit, filled: make(chan struct{}, 1), closed: make(chan struct{})}
	c.room.L = &c.mu
	return c
}

// Write takes b. It waits while too much is pending.
func (c *batchedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.pending) > 0 && len(c.pending)+len(b) > maxBatch {
		c.room.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	c.pending = append(c.pending, b...)
	select {
	case c.filled <- struct{}{}:
	default: // it has been told
	}
	return len(b), nil
}

// flush is the flusher.
func (c *batchedConn) flush() {
	var batch []byte
	for {
		select {
		case <-c.filled:
		case <-c.closed:
			return
		}
		batch = c.take(batch)
		if err := c.write(batch); err != nil {
			c.end(err)
			_ = c.Conn.Close() // it is of no use any more
			return
		}
	}
}

// take returns what is pending and leaves the empty buffer behind.
func (c *batchedConn) take(empty []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.pending
	c.pending = empty[:0]
	c.room.Broadcast()
	return batch
}

func (c *batchedConn) write(batch []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return err
	}
	_, err := c.Conn.Write(batch)
	return err
}

// end has every Write fail with the first cause.
func (c *batchedConn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.closed)
	c.room.Broadcast()
}

// Close cuts the connection; what is pending is lost.
func (c *batchedConn) Close() error {
	c.end(net.ErrClosed)
	return c.Conn.Close()
}
