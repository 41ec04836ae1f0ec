package faultkit

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// Direction is a side whose frames a fault holds or drops.
type Direction int

// The sides.
const (
	FromClient Direction = iota
	FromBroker
)

// Proxy stands between programs and a broker. Its address stays the same while
// the broker is stopped and started. Its faults hit the connections that are open
// at that moment; later ones are sound until a fault hits them as well.
type Proxy struct {
	url      string
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu         sync.Mutex
	pairs      map[*pair]struct{}
	refuse     bool
	pass       func(Direction, Frame) bool
	exceptions []string
}

// pair is a connection of a program with the one to the broker that belongs to it.
type pair struct {
	client, broker net.Conn
	done           chan struct{}
	close          sync.Once

	mu    sync.Mutex
	flows [2]flow
}

// flow is how the frames of one side fare.
type flow struct {
	drop  bool
	delay time.Duration
	stall chan struct{} // nil: not stalled; closed by the end of the stall
}

// NewProxy returns a proxy for the broker at brokerURL.
func NewProxy(tb testing.TB, brokerURL string) *Proxy {
	tb.Helper()
	u, err := url.Parse(brokerURL)
	if err != nil {
		tb.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{target: u.Host, listener: listener, pairs: make(map[*pair]struct{})}
	u.Host = listener.Addr().String()
	p.url = u.String()
	p.wg.Go(p.accept)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// URL leads to the broker through the proxy.
func (p *Proxy) URL() string { return p.url }

// Cut closes all connections at once, as the kernel does for a broker that is
// killed.
func (p *Proxy) Cut() { p.each((*pair).cut) }

// Refuse closes each new connection at once, or no longer.
func (p *Proxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = yes
}

// Stall stops reading from the given sides: what they write stays in their
// sockets until those are full. [Proxy.Resume] ends it, and nothing is lost.
func (p *Proxy) Stall(sides ...Direction) {
	p.change(sides, func(f *flow) {
		if f.stall == nil {
			f.stall = make(chan struct{})
		}
	})
}

// Drop takes what the given sides write and throws it away, as a network does
// that has forgotten the flow: nobody is told.
func (p *Proxy) Drop(sides ...Direction) { p.change(sides, func(f *flow) { f.drop = true }) }

// Delay holds each frame of the given sides for d, one after the other.
func (p *Proxy) Delay(d time.Duration, sides ...Direction) {
	p.change(sides, func(f *flow) { f.delay = d })
}

// Resume ends stalls, drops and delays of both sides.
func (p *Proxy) Resume() {
	p.change([]Direction{FromClient, FromBroker}, func(f *flow) {
		if f.stall != nil {
			close(f.stall)
		}
		*f = flow{}
	})
}

// Pass lets through only those frames, of all connections, for which pass
// returns true; nil lets all through. It is called by several goroutines.
func (p *Proxy) Pass(pass func(Direction, Frame) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass = pass
}

// Conns returns how many connections are open.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

// Exceptions returns what the broker said when it closed channels and
// connections for an error, or because it was stopped (320).
func (p *Proxy) Exceptions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.exceptions)
}

func (p *Proxy) each(do func(*pair)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pair := range p.pairs {
		do(pair)
	}
}

func (p *Proxy) change(sides []Direction, change func(*flow)) {
	p.each(func(pair *pair) {
		pair.mu.Lock()
		defer pair.mu.Unlock()
		for _, side := range sides {
			change(&pair.flows[side])
		}
	})
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve connects to the broker and passes frames on until either side closes.
func (p *Proxy) serve(client net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var dialer net.Dialer
	broker, err := dialer.DialContext(ctx, "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	c := &pair{client: client, broker: broker, done: make(chan struct{})}
	if !p.add(c) {
		c.cut()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(c, FromClient, client, broker) })
	both.Go(func() { p.pump(c, FromBroker, broker, client) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

func (p *Proxy) add(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return false
	}
	p.pairs[c] = struct{}{}
	return true
}

// pump passes on one side's frames. When that side ends, so does the other,
// after what was read before is written.
func (p *Proxy) pump(c *pair, side Direction, from, to net.Conn) {
	defer c.end()
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		if side == FromBroker {
			p.note(frame)
		}
		if !c.admit(side) || !p.passes(side, frame) {
			continue
		}
		if _, err := to.Write(frame.raw); err != nil {
			return
		}
	}
}

func (p *Proxy) note(f Frame) {
	words, is := f.exception()
	if !is {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exceptions = append(p.exceptions, words)
}

func (p *Proxy) passes(side Direction, f Frame) bool {
	p.mu.Lock()
	pass := p.pass
	p.mu.Unlock()
	return pass == nil || pass(side, f)
}

// admit waits as the flow has it and returns false for what is dropped.
func (c *pair) admit(side Direction) bool {
	c.mu.Lock()
	f := c.flows[side]
	c.mu.Unlock()
	if f.stall != nil {
		select {
		case <-f.stall:
		case <-c.done:
		}
	}
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.done:
		}
	}
	return !f.drop
}

func (c *pair) end() {
	c.close.Do(func() {
		close(c.done)
		_ = errors.Join(c.client.Close(), c.broker.Close()) // whoever was closed before is closed
	})
}

func (c *pair) cut() {
	c.close.Do(func() {
		close(c.done)
		reset(c.client)
		reset(c.broker)
	})
}

// reset closes conn without the farewell that TCP has.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed in any case
	}
	_ = conn.Close()
}
