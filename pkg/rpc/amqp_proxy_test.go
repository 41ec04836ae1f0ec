package rpc

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// proxy stands between a transport and the broker. It can cut its connections,
// stop passing on what the client writes, and put in frames of its own.
type proxy struct {
	t        *testing.T
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	clients []*frameWriter
	refused bool
	stall   chan struct{} // closed unless stalled
}

// frameWriter writes whole frames to a client.
type frameWriter struct {
	mu   sync.Mutex
	conn net.Conn
}

func (w *frameWriter) write(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.conn.Write(frame)
	return err
}

// newProxy returns a proxy for the broker at rawURL, and the URL that leads
// through it.
func newProxy(t *testing.T, rawURL string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: listener, target: u.Host, stall: make(chan struct{})}
	close(p.stall)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.resume()
		p.Cut()
		p.wg.Wait()
	})
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		var dialer net.Dialer
		server, err := dialer.DialContext(p.t.Context(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		frames := &frameWriter{conn: client}
		p.mu.Lock()
		if p.refused {
			p.mu.Unlock()
			_, _ = client.Close(), server.Close()
			continue
		}
		p.conns = append(p.conns, client, server)
		p.clients = append(p.clients, frames)
		p.mu.Unlock()
		p.wg.Go(func() { p.fromClient(client, server) })
		p.wg.Go(func() { p.fromServer(server, frames) })
	}
}

func (p *proxy) fromClient(client, server net.Conn) {
	defer server.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		stall := p.stall
		p.mu.Unlock()
		<-stall
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// fromServer passes on frame by frame, so that others can be put between.
func (p *proxy) fromServer(server net.Conn, client *frameWriter) {
	defer client.conn.Close()
	header := make([]byte, 7)
	for {
		if _, err := io.ReadFull(server, header); err != nil {
			return
		}
		frame := make([]byte, len(header)+int(binary.BigEndian.Uint32(header[3:]))+1)
		copy(frame, header)
		if _, err := io.ReadFull(server, frame[len(header):]); err != nil {
			return
		}
		if err := client.write(frame); err != nil {
			return
		}
	}
}

// Cut closes all connections, as the kernel does for a broker that is killed.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	p.conns, p.clients = nil, nil
}

// refuse lets nobody connect, or everybody.
func (p *proxy) refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = yes
}

// hold stops passing on what clients write, as a broker under an alarm does.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stall:
	default:
		close(p.stall)
	}
}

// Block sends connection.blocked to all clients, Unblock connection.unblocked.
func (p *proxy) Block()   { p.inject(connectionMethod(60, "\x06memory")) }
func (p *proxy) Unblock() { p.inject(connectionMethod(61, "")) }

func connectionMethod(method byte, args string) []byte {
	payload := append([]byte{0, 10, 0, method}, args...)
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(payload))) //nolint:gosec // a dozen bytes
	return append(append(frame, payload...), 0xCE)
}

func (p *proxy) inject(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		if err := client.write(frame); err != nil && !errors.Is(err, net.ErrClosed) {
			p.t.Errorf("inject: %v", err)
		}
	}
}

// eventually polls until ok returns true; it fails the test after ten seconds.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("after 10 s still not: %s", what)
		}
	}
}
