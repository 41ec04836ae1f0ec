package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// closeTimeout bounds [Conn.Close].
const closeTimeout = 2 * time.Second

// Conn calls, casts and serves over one broker. It connects in the background
// and again after every loss, without limit; [Conn.Ready] tells how it stands.
// Its methods may be called from any goroutine.
type Conn struct {
	o         Options
	t         transport
	origin    origin
	metrics   *metrics
	up        prometheus.Collector
	tracer    trace.Tracer
	traces    bool
	spans     map[spanKind][]trace.SpanStartOption
	pending   pending
	exchanges exchanges
	ways      ways
	words     sync.Pool // of *word

	mu      sync.Mutex
	serving map[string]bool // service → declared
	closed  chan struct{}
	close   sync.Once
}

// newConn completes o and starts t.
func newConn(t transport, o Options) *Conn {
	o = o.withDefaults()
	m, err := newMetrics(o.Metrics, o.Service)
	if err != nil {
		o.Log.Error("some metrics of rpc are not there", "err", err)
	}
	c := &Conn{
		o: o, t: t, metrics: m,
		origin:  newOrigin(o.Service + ".call." + rand.Text()),
		tracer:  otel.Tracer("matriq/pkg/rpc"),
		spans:   spanOptions(),
		serving: make(map[string]bool),
		closed:  make(chan struct{}),
	}
	c.traces = traces(c.tracer)
	c.reportUp()
	t.start(c.receive, c.lost)
	return c
}

// Ready returns nil when calls and casts can be sent and what is served is
// declared, else what is missing.
func (c *Conn) Ready() error {
	if err := c.t.ready(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for service, declared := range c.serving {
		if !declared {
			return errors.New("the queues of " + service + " are not declared yet")
		}
	}
	return nil
}

// Serving returns nil when the program takes messages: it is ready, and Serve
// has declared and consumes what it was given. Before Serve is called, and once
// it has returned, it is an error.
func (c *Conn) Serving() error {
	if err := c.Ready(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.serving) == 0 {
		return errors.New("nothing is served yet")
	}
	return nil
}

// Close ends Serve where it still runs without waiting for it, hands out what
// waits to be sent until ctx ends, for two seconds at most, and disconnects: a
// broker that takes nothing holds up nobody's stop. Calls that wait for a reply
// fail. Let Serve return first.
func (c *Conn) Close(ctx context.Context) error {
	c.close.Do(func() {
		close(c.closed)
		if c.up != nil {
			c.o.Metrics.Unregister(c.up)
		}
	})
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := c.t.close(ctx)
	c.pending.lose(math.MaxUint64)
	return err
}

// reportUp registers whether this connection is ready. A second connection of
// the same program to one registry is not told apart, and not reported.
func (c *Conn) reportUp() {
	if c.o.Metrics == nil {
		return
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: metricPrefix + "connection_up", Help: "1 when the broker is connected and takes messages.",
		ConstLabels: prometheus.Labels{"program": c.o.Service},
	}, func() float64 {
		if c.t.ready() != nil {
			return 0
		}
		return 1
	})
	if c.o.Metrics.Register(up) == nil {
		c.up = up
	}
}
