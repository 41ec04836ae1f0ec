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

// frame is what a frame is to the connection: size bytes, of which the last says so.
func frame(fill byte, size int) []byte {
	return append(bytes.Repeat([]byte{fill}, size-1), frameEnd)
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
		go write("a") // which the flusher takes
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

// An envelope that comes in pieces leaves in one, whoever writes it.
func TestBatchedConn_Pieces(t *testing.T) {
	t.Parallel()
	envelope := string(frame('x', 3*bufferSize))
	cut := []string{envelope[:bufferSize], envelope[bufferSize : 2*bufferSize], envelope[2*bufferSize:]}
	t.Run("offered", func(t *testing.T) {
		t.Parallel()
		near, _ := connected(t)
		conn := newBatchedConn(near, time.Second) // without a flusher
		for i, kept := range []int{bufferSize, 2 * bufferSize, 0} {
			if n, err := conn.Write([]byte(cut[i])); n != len(cut[i]) || err != nil {
				t.Errorf("write: %d, %v", n, err)
			}
			if got := len(conn.pending); got != kept {
				t.Errorf("after piece %d %d bytes are kept, want %d", i+1, got, kept)
			}
		}
	})
	t.Run("flushed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			socket := &pieces{letGo: make(chan struct{})}
			close(socket.letGo)
			conn := newBatchedConn(socket, time.Second)
			go conn.flush()
			for _, piece := range cut {
				if n, err := conn.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Errorf("write: %d, %v", n, err)
				}
				synctest.Wait()
			}
			if len(socket.given) != 1 || socket.given[0] != envelope {
				t.Errorf("the socket was given %d pieces, want the envelope", len(socket.given))
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

// connected returns both ends of a connection.
func connected(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if near, err = new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() }) // which the test may have done
	return near, far
}

// hasRoom tells whether less than maxBatch is pending.
func (c *batchedConn) hasRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && len(c.pending) < maxBatch
}

// Write never waits; whoever asks for room first does so until there is some, or the
// end.
func TestBatchedConn_Waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		socket := &pieces{letGo: make(chan struct{})}
		conn := newBatchedConn(socket, time.Second)
		go conn.flush()
		quarter := frame('x', maxBatch/4)
		written := 0
		write := func() {
			if _, err := conn.Write(quarter); err != nil {
				t.Error(err)
			}
			written++
		}
		write()
		synctest.Wait() // the socket has that
		for conn.hasRoom() {
			write()
		}
		if written != 5 {
			t.Errorf("%d quarters were taken while there was room, want 1 and 4", written)
		}
		write() // as an ack, which does not ask
		waited := make(chan error, 1)
		go func() { waited <- conn.awaitRoom() }()
		synctest.Wait()
		select {
		case err := <-waited:
			t.Errorf("nobody waited for room: %v", err)
		default:
		}
		socket.letGo <- struct{}{}
		if err := <-waited; err != nil {
			t.Errorf("wait for room: %v", err)
		}
		synctest.Wait() // the socket has the other five
		for conn.hasRoom() {
			write()
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := conn.awaitRoom(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("wait for room after the close: %v", err)
		}
		if _, err := conn.Write(quarter); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after the close: %v", err)
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
		if _, err := conn.Write([]byte("nobody reads this")); err != nil {
			t.Errorf("write: %v, want nil: nothing has failed yet", err)
		}
		conn.flush() // until the end of the connection
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v, want 1s", took)
		}
		if _, err := conn.Write([]byte("nor this")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v, want the cause", err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the other side reads %v, want the end", err)
		}
	})
}

// What a real socket has no room for is written when it has; nothing is lost or
// swapped, and nobody waits meanwhile.
func TestBatchedConn_FullSocket(t *testing.T) {
	t.Parallel()
	near, far := connected(t)
	conn := newBatchedConn(near, time.Minute)
	flushed := make(chan struct{})
	go func() { conn.flush(); close(flushed) }()

	const size, count = 64 << 10, 256 // 16 MiB, more than the kernel keeps for a socket
	for i := range count {
		conn.mu.Lock()
		conn.rested = time.Time{} // each is offered to the socket where nothing is pending
		conn.mu.Unlock()
		if _, err := conn.Write(frame(byte(i), size)); err != nil {
			t.Fatal(err)
		}
	}
	if conn.hasRoom() {
		t.Error("a socket has taken 16 MiB that nobody reads")
	}
	piece := make([]byte, size)
	for i := range count {
		if _, err := io.ReadFull(far, piece); err != nil {
			t.Fatal(err)
		}
		if want := frame(byte(i), size); !bytes.Equal(piece, want) {
			t.Fatalf("piece %d begins with %d and ends with %d", i, piece[0], piece[size-1])
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	<-flushed
}

// Who moves the read deadline is kept for a lull, and let go by the end.
func TestBatchedConn_Lull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		conn := newBatchedConn(near, time.Second)
		began := time.Now()
		if err := conn.SetReadDeadline(began.Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != lull {
			t.Errorf("it took %v, want %v", took, lull)
		}
		go func() { _ = conn.Close() }() // of a pipe, which cannot fail
		began = time.Now()
		_ = conn.SetReadDeadline(began.Add(time.Minute)) // fails after the close
		if took := time.Since(began); took != 0 {
			t.Errorf("after the close it took %v", took)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("read: %v", err)
		}
	})
}
