package email

import (
	"context"
	"errors"
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

// lend calls use with a link, and with another one as long as use finds that the
// server had closed it while it was idle.
func (p *pool) lend(ctx context.Context, use func(*link) error) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("no connection is free: %w", context.Cause(ctx))
	}
	defer func() { <-p.slots }()
	for l := p.take(); l != nil; l = p.take() {
		err := use(l)
		p.put(ctx, l)
		if !errors.Is(err, errStale) || ctx.Err() != nil {
			return err
		}
	}
	l, err := p.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to the mail server: %w", err)
	}
	defer p.put(ctx, l)
	return use(l)
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
}

func (p *pool) keep(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.idle = append(p.idle, l)
	l.rested = true
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
