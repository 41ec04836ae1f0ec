package email

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// quitTime is how long a good-bye to the mail server may take.
const quitTime = 2 * time.Second

// pool lends links, at most a number at a time, and keeps those that come back
// in order open until they have been idle too long.
type pool struct {
	dial  func(context.Context) (*link, error)
	slots chan struct{}
	rest  time.Duration

	mu     sync.Mutex
	idle   []*link // the last one was used last
	closed bool
}

func newPool(size int, rest time.Duration, dial func(context.Context) (*link, error)) *pool {
	return &pool{dial: dial, slots: make(chan struct{}, size), rest: rest}
}

// get returns a link that has just answered; the caller puts it back.
func (p *pool) get(ctx context.Context) (*link, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("no connection is free: %w", context.Cause(ctx))
	}
	l, err := p.open(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return l, nil
}

func (p *pool) open(ctx context.Context) (*link, error) {
	for l := p.take(); l != nil; l = p.take() {
		if l.reset(ctx) == nil {
			return l, nil
		}
		_ = l.conn.Close() // the server had closed it
	}
	return p.dial(ctx)
}

// take returns the link that was used last, or nil.
func (p *pool) take() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	l := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	l.expiry.Stop()
	return l
}

// put takes a link back, when the mail's ctx may have ended.
func (p *pool) put(ctx context.Context, l *link) {
	if l.broken || !p.keep(l) { //nolint:contextcheck // expiry has a bound of its own
		quit(context.WithoutCancel(ctx), l)
	}
	<-p.slots
}

func (p *pool) keep(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.idle = append(p.idle, l)
	l.expiry = time.AfterFunc(p.rest, func() { p.expire(l) })
	return true
}

func (p *pool) expire(l *link) {
	p.mu.Lock()
	i := slices.Index(p.idle, l)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		quit(context.Background(), l)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var quits sync.WaitGroup
	for _, l := range idle {
		l.expiry.Stop()
		quits.Go(func() { quit(context.Background(), l) })
	}
	quits.Wait()
}

func quit(ctx context.Context, l *link) {
	ctx, cancel := context.WithTimeout(ctx, quitTime)
	defer cancel()
	l.quit(ctx)
}
