package rpc

import (
	"context"
)

// Conn calls, casts and serves over one broker. It connects in the background
// and again after every loss, without limit; [Conn.Ready] tells how it stands.
// Its methods may be called from any goroutine.
type Conn struct {
	o Options
	t transport
}

// newConn completes o and starts t.
func newConn(t transport, o Options) *Conn {
	c := &Conn{o: o.withDefaults(), t: t}
	t.start(c.receive, c.lost)
	return c
}

func (c *Conn) receive(*envelope) {}
func (c *Conn) lost(uint64)       {}

// Ready returns nil when calls and casts can be sent and what is served is
// declared, else what is missing.
func (c *Conn) Ready() error { return c.t.ready() }

// Close hands out what waits to be sent, until ctx ends, and disconnects. Let
// Serve return first.
func (c *Conn) Close(ctx context.Context) error { return c.t.close(ctx) }
