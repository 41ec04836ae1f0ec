package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// conn is a connection that serves one request at a time.
type conn struct {
	net.Conn
	r    *bufio.Reader
	used bool // an answer has come on it
}

// dial opens a connection from an address, nil for any, before a deadline.
func (s *Site) dial(ctx context.Context, from *net.TCPAddr, deadline time.Time) (*conn, error) {
	if soon := time.Now().Add(dialTimeout); soon.Before(deadline) {
		deadline = soon
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	d := net.Dialer{KeepAlive: -1}
	if from != nil {
		d.LocalAddr = from
	}
	if !s.Anywhere {
		d.Control = refuseFar
	}
	raw, err := d.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, err
	}
	if s.URL.Scheme == "https" {
		if raw, err = s.encrypt(ctx, raw); err != nil {
			return nil, err
		}
	}
	return &conn{Conn: raw, r: bufio.NewReader(raw)}, nil
}

func (s *Site) encrypt(ctx context.Context, raw net.Conn) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		cfg = s.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = s.URL.Hostname()
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // nothing was sent on it
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return c, nil
}

// refuseFar looks at the address itself, whatever name led to it.
func refuseFar(_, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !Near(addr.Addr()) {
		return fmt.Errorf("%s: %w", addr.Addr(), ErrFar)
	}
	return nil
}

// pool keeps connections for the next request. The zero value is empty.
type pool struct {
	mu     sync.Mutex
	idle   []*conn
	closed bool
}

// take is nil when there is none. Connections that the server has closed
// meanwhile are left out.
func (p *pool) take() *conn {
	for {
		c := p.pop()
		if c == nil || c.alive() {
			return c
		}
		_ = c.Close() // the server has closed it
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return c
}

func (p *pool) give(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close() // its last answer has been read
		return
	}
	p.idle = append(p.idle, c)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		_ = c.Close() // its last answer has been read
	}
	p.idle, p.closed = nil, true
}
