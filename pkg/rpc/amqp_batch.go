package rpc

import (
	"net"
	"runtime"
	"sync"
	"time"
)

// batchedConn gathers what is written while the socket is busy, or before the
// flusher gets to run, and hands it to the socket in one piece. amqp091-go writes
// to the socket for every envelope and every ack; under load most of what those
// cost, here and at the broker, is the system call and the packet.
//
// After a rest of the connection Write offers its bytes to the socket itself: there
// is nothing to gather then, and to wake the flusher would cost more than it saves.
// What the socket does not take at once is the flusher's. An envelope that is longer
// than the buffer of amqp091-go comes in several pieces; up to maxKept it is offered
// whole.
//
// Write never waits, since amqp091-go holds locks meanwhile that others need. Who
// has much to write waits for [batchedConn.awaitRoom] before.
//
// What Write has taken counts as sent: an error of the socket is told by the next
// Write, and ends the connection, so that whoever waits for a confirm learns of it
// as well. Each write of the flusher has a deadline, since amqp091-go sets none and
// a broker under an alarm stops reading.
type batchedConn struct {
	net.Conn
	limit time.Duration // of one write to the socket
	offer offer

	mu      sync.Mutex
	room    sync.Cond // told when pending was taken, and of the end
	pending []byte
	spare   []byte    // the buffer that was pending before
	told    bool      // the flusher is to hand pending to the socket
	busy    bool      // the flusher writes to the socket
	rested  time.Time // since when nobody does
	err     error     // why nothing more is taken

	filled chan struct{} // tells the flusher that pending is not empty
	closed chan struct{}
}

const (
	// maxBatch is enough for the window of a lane and its acks, of usual size.
	maxBatch = 256 << 10
	// maxKept is of the pieces of an envelope, until they are written before the rest
	// has come.
	maxKept = 64 << 10
	// rest is longer than what lies between two envelopes under load.
	rest = 100 * time.Microsecond
)

// newBatchedConn returns conn with a flusher, which runs until the connection is
// closed or fails.
func newBatchedConn(conn net.Conn, limit time.Duration) *batchedConn {
	c := &batchedConn{Conn: conn, limit: limit, offer: newOffer(conn), filled: make(chan struct{}, 1), closed: make(chan struct{})}
	c.room.L = &c.mu
	return c
}

// Write takes b.
func (c *batchedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.pending = append(c.pending, b...)
	if isPiece(b) && len(c.pending) < maxKept {
		return len(b), nil
	}
	if !c.busy && !c.told && time.Since(c.rested) > rest {
		taken, err := c.offer.write(c.pending)
		c.pending = append(c.pending[:0], c.pending[taken:]...)
		if err != nil {
			c.fail(err)
			return 0, err
		}
		c.rested = time.Now()
	}
	if len(c.pending) > 0 {
		c.tell()
	}
	return len(b), nil
}

const (
	bufferSize = 4096 // of amqp091-go, which writes no less while an envelope goes on
	frameEnd   = 0xCE
)

// isPiece tells whether b ends within a frame, so that the rest follows at once.
func isPiece(b []byte) bool { return len(b) >= bufferSize && b[len(b)-1] != frameEnd }

// awaitRoom returns when there is room, or why the connection has ended.
func (c *batchedConn) awaitRoom() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.pending) >= maxBatch {
		c.room.Wait()
	}
	return c.err
}

// tell wakes the flusher. The caller holds mu.
func (c *batchedConn) tell() {
	c.told = true
	select {
	case c.filled <- struct{}{}:
	default: // it has been told
	}
}

// hand hands batch to the socket while mu, which the caller holds, is let go.
func (c *batchedConn) hand(batch []byte) {
	c.busy = true
	c.mu.Unlock()
	err := c.write(batch)
	c.mu.Lock()
	c.busy, c.rested = false, time.Now()
	if err != nil {
		c.fail(err)
	}
}

// flush is the flusher.
func (c *batchedConn) flush() {
	for {
		select {
		case <-c.filled:
			runtime.Gosched() // what is runnable may write as well, and spare a packet
			c.handPending()
		case <-c.closed:
			return
		}
	}
}

// handPending hands what is pending to the socket. An error ends the connection, and
// whoever writes next is told.
func (c *batchedConn) handPending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || len(c.pending) == 0 {
		return
	}
	batch := c.pending
	c.pending, c.told = c.spare, false
	c.room.Broadcast()
	c.hand(batch)
	c.spare = batch[:0]
}

func (c *batchedConn) write(batch []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return err
	}
	_, err := c.Conn.Write(batch)
	return err
}

// fail ends a connection whose socket is of no use any more. The caller holds mu.
func (c *batchedConn) fail(err error) {
	c.end(err)
	_ = c.Conn.Close() // it has failed
}

// end has every Write fail with the first cause. The caller holds mu.
func (c *batchedConn) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.closed)
	c.room.Broadcast()
}

// Close cuts the connection; what is pending is lost.
func (c *batchedConn) Close() error {
	c.mu.Lock()
	c.end(net.ErrClosed)
	c.mu.Unlock()
	return c.Conn.Close()
}
