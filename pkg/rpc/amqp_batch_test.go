package rpc

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pieces is a socket that notes what it is given, and takes nothing until let go.
type pieces struct {
	net.Conn
	letGo chan struct{}

	mu    sync.Mutex
	given []string
}

func (p *pieces) SetWriteDeadline(time.Time) error { return nil }
func (p *pieces) Close() error                     { return nil }

func (p *pieces) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.given = append(p.given, string(b))
	p.mu.Unlock()
	<-p.letGo
	return len(b), nil
}

// What is written while the socket is busy leaves in one piece, in its order.
func TestBatchedConn_Gathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		socket := &pieces{letGo: make(chan struct{})}
		conn := newBatchedConn(socket, time.Second)
		done := make(chan struct{})
		go func() { conn.flush(); close(done) }()
		write := func(text string) {
			if n, err := conn.Write([]byte(text)); n != 1 || err != nil {
				t.Errorf("write %s: %d, %v", text, n, err)
			}
		}
		go write("a") // after a rest: by itself
		synctest.Wait()
		write("b")
		write("c")
		synctest.Wait()
		close(socket.letGo)
		synctest.Wait()
		if got := strings.Join(socket.given, " "); got != "a bc" {
			t.Errorf("the socket was given %q, want a, then bc", got)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		<-done
		if _, err := conn.Write([]byte("d")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after the close: %v", err)
		}
	})
}

// Whoever writes more than may wait does so until there is room, or the end.
func TestBatchedConn_Waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		socket := &pieces{letGo: make(chan struct{})}
		conn := newBatchedConn(socket, time.Second)
		go conn.flush()
		go func() { _, _ = conn.Write([]byte("x")) }() // the close ends it, or not
		synctest.Wait()                                // the socket has that
		written := 0
		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := conn.Write(bytes.Repeat([]byte("x"), maxBatch/4)); err != nil {
					ended <- err
					return
				}
				written++
			}
		}()
		synctest.Wait()
		if written != 4 {
			t.Errorf("%d quarters were taken, want 4", written)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the one that waited got %v", err)
		}
		close(socket.letGo)
	})
}

// A socket that takes nothing ends the connection after the limit.
func TestBatchedConn_Deadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := newBatchedConn(near, time.Second)
		began := time.Now()
		for _, text := range []string{"nobody reads this", "nor this"} {
			if _, err := conn.Write([]byte(text)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("write: %v, want the cause", err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v, want 1s", took)
		}
		conn.flush() // has nothing to do any more
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the other side reads %v, want the end", err)
		}
	})
}
