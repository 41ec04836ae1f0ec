package rpc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Serve declares what routes need, serves them, and S.ping and S.describe for
// each of their services, until ctx ends. Then it takes no more messages, waits
// for its handlers for the DrainTimeout, cancels the contexts of those that are
// left, and returns nil. What they have not finished is served by another
// replica, or by the next start.
//
// It waits for the broker as long as it takes. It fails when a route or a
// service is served twice, or when the broker has a queue or an exchange of the
// same name that was declared differently.
func (c *Conn) Serve(ctx context.Context, routes ...Route) error {
	s, err := newServer(ctx, c, routes)
	if err != nil {
		return err
	}
	defer s.cancel()
	if err := c.claim(s.services); err != nil {
		return err
	}
	defer c.release(s.services)

	if err := c.t.declare(ctx, s.topology); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("declare what %v need: %w", s.services, err)
	}
	if err := s.consume(); err != nil { //nolint:contextcheck // handlers outlive ctx: drain ends them
		s.drain() //nolint:contextcheck // ctx has ended; drain has a bound of its own
		return err
	}
	c.declared(s.services)
	if c.o.OnServe != nil {
		c.o.OnServe()
	}
	select {
	case <-ctx.Done():
	case <-c.closed:
	}
	s.drain() //nolint:contextcheck // ctx has ended; drain has a bound of its own
	return nil
}

// claim keeps a service from being served twice by one connection, where each
// would take the other's messages for unknown ones.
func (c *Conn) claim(services []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, service := range services {
		if _, taken := c.serving[service]; taken {
			return fmt.Errorf("%s is served already", service)
		}
	}
	for _, service := range services {
		c.serving[service] = false
	}
	return nil
}

func (c *Conn) declared(services []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, service := range services {
		c.serving[service] = true
	}
}

func (c *Conn) release(services []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, service := range services {
		delete(c.serving, service)
	}
}

// server is one run of Serve.
type server struct {
	*Conn
	services  []string
	topology  Topology
	endpoints map[string]*endpoint // by Target
	events    []*endpoint
	stops     []func(context.Context) error
	suspects  suspects

	// base is what the contexts of the handlers come from. It outlives the
	// context of Serve by the time to drain.
	base     context.Context //nolint:containedctx // the life of the server, not of a request
	cancel   context.CancelFunc
	handlers handlers
}

// endpoint is a route with its numbers.
type endpoint struct {
	Route
	stats stats
}

func newServer(ctx context.Context, c *Conn, routes []Route) (*server, error) {
	s := &server{Conn: c, services: servicesOf(routes), endpoints: make(map[string]*endpoint), suspects: newSuspects()}
	s.topology = topologyOf(routes, c.o.RetryDelays)
	for _, service := range s.services {
		routes = append(slices.Clip(routes), s.pingRoute(service), s.describeRoute(service))
	}
	for _, r := range routes {
		if r.serve == nil {
			return nil, fmt.Errorf("%s has no handler", r.Target)
		}
		if s.endpoints[r.Target] != nil {
			return nil, fmt.Errorf("%s has two routes", r.Target)
		}
		s.metrics.expect(r)
		e := &endpoint{Route: r}
		s.endpoints[r.Target] = e
		if r.Kind == KindEvent {
			s.events = append(s.events, e)
		}
	}
	s.base, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// storedAckDelay is how long the ack of a cast or an event may wait for those of others.
// Nobody waits for it.
const storedAckDelay = 50 * time.Millisecond

// consume starts with the queues that hold what was waiting, calls last.
func (s *server) consume() error {
	for _, e := range s.events {
		if err := s.take(eventQueueOf(e.Route), storedAckDelay, func(d *delivery) { s.event(d, e) }); err != nil {
			return err
		}
	}
	for _, service := range s.services {
		if s.stores(service) {
			if err := s.take(workQueue(service), storedAckDelay, s.work); err != nil {
				return err
			}
		}
		for _, queue := range []string{requestQueue(service), callQueue(service)} {
			if err := s.take(queue, 0, s.request); err != nil {
				return err
			}
		}
	}
	return nil
}

// stores tells whether service has a work queue.
func (s *server) stores(service string) bool {
	return slices.ContainsFunc(s.topology.Queues, func(q Queue) bool { return q.Name == workQueue(service) })
}

func (s *server) take(queue string, ackDelay time.Duration, handle func(*delivery)) error {
	stop, err := s.t.consume(queue, s.o.Prefetch, ackDelay, func(d *delivery) {
		if !s.handlers.begin() {
			d.nack()
			return
		}
		defer s.handlers.end()
		s.metrics.handling.Inc()
		defer s.metrics.handling.Dec()
		handle(d)
	})
	if err != nil {
		return fmt.Errorf("consume %s: %w", queue, err)
	}
	s.stops = append(s.stops, stop)
	return nil
}

// lastGrace is how long handlers may take to notice that they are cancelled.
const lastGrace = time.Second

func (s *server) drain() {
	ctx, cancel := context.WithTimeout(s.base, s.o.DrainTimeout)
	defer cancel()
	var stops sync.WaitGroup
	for _, stop := range s.stops {
		stops.Go(func() {
			if err := stop(ctx); err != nil {
				s.o.Log.WarnContext(ctx, "could not stop a consumer", "err", err)
			}
		})
	}
	stops.Wait()
	idle := s.handlers.close()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	s.cancel()
	grace := time.NewTimer(lastGrace)
	defer grace.Stop()
	select {
	case <-idle:
	case <-grace.C:
		s.o.Log.Error("handlers are still running after they were cancelled")
	}
}

// handlers counts what runs and closes the door to more.
type handlers struct {
	mu      sync.Mutex
	running int
	idle    chan struct{} // not nil once closed
}

func (h *handlers) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.idle != nil {
		return false
	}
	h.running++
	return true
}

func (h *handlers) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if h.idle != nil && h.running == 0 {
		close(h.idle)
	}
}

// close returns what is closed when the last one has ended.
func (h *handlers) close() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = make(chan struct{})
	if h.running == 0 {
		close(h.idle)
	}
	return h.idle
}
