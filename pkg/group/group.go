// Package group has what comes at once done together: a transaction for many
// registrations, a message for many events.
package group

import (
	"context"
	"sync"
	"time"
)

// Group has what comes at once written together: whatever comes while a write is
// under way shares the next one, as a commit costs the database, and a message the
// broker, the same for one as for fifty. As many wait as there are callers of
// Write, who have to be bounded: handlers are, by their prefetch.
type Group[T any] struct {
	pace  time.Duration
	many  int
	write func(context.Context, []T) error

	mu      sync.Mutex
	waiting []member[T]
	running bool
	enough  chan struct{} // has one once many wait
}

// member waits for its write.
type member[T any] struct {
	ctx  context.Context //nolint:containedctx // what is written is told to belong to the first of a group
	item T
	done chan error
}

const (
	// most bounds a write.
	most = 100
	// timeout bounds it in time: it outlives the first of those it is for.
	timeout = 10 * time.Second
)

// New returns a group whose members write writes, all or none, in a context with
// the values of the first one's. A group begins pace after the one before, or once
// many wait; who comes alone waits for nobody. Where no more than many can come, since
// they are handlers of that prefetch, nobody waits for others who cannot be there. A pace
// of zero: as soon as the one before is done.
func New[T any](pace time.Duration, many int, write func(context.Context, []T) error) *Group[T] {
	return &Group[T]{pace: pace, many: many, write: write, enough: make(chan struct{}, 1)}
}

// Write returns when item is written, or why it is not: what is wrong with one is
// no matter of the others. When ctx ends first it may be written yet, so item is
// not the caller's any more, and a repeat must do no harm.
func (g *Group[T]) Write(ctx context.Context, item T) error {
	m := member[T]{context.WithoutCancel(ctx), item, make(chan error, 1)}
	g.join(m)
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Group[T]) join(m member[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, m)
	if !g.running {
		g.running = true
		go g.run()
	}
	if len(g.waiting) >= g.many {
		select {
		case g.enough <- struct{}{}:
		default: // it is known
		}
	}
}

// next takes those who wait; when there are none, the next one starts run again.
func (g *Group[T]) next() []member[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	group := g.waiting[:min(len(g.waiting), most)]
	g.waiting = g.waiting[len(group):]
	g.running = len(group) > 0
	if len(g.waiting) < g.many {
		select {
		case <-g.enough:
		default: // they were few
		}
	}
	return group
}

// run writes groups until nobody waits.
func (g *Group[T]) run() {
	for group := g.next(); len(group) > 0; group = g.next() {
		begun := time.Now()
		g.writeAll(group[0].ctx, group)
		if rest := g.pace - time.Since(begun); rest > 0 {
			g.await(rest)
		}
	}
}

// await returns after rest, or when many wait.
func (g *Group[T]) await(rest time.Duration) {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.enough:
	}
}

// writeAll writes all at once and, when that fails, each by itself.
func (g *Group[T]) writeAll(ctx context.Context, group []member[T]) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	items := make([]T, len(group))
	for i, m := range group {
		items[i] = m.item
	}
	err := g.write(ctx, items)
	for i, m := range group {
		if err != nil && len(group) > 1 {
			m.done <- g.write(ctx, items[i:i+1])
			continue
		}
		m.done <- err
	}
}
