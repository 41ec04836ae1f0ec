package sqldb

import (
	"context"
	"sync"
	"time"
)

// Group has what comes at once written together: whatever comes while a
// transaction is under way shares the next one, as a commit costs the database
// the same for one as for fifty. As many wait as there are callers of Write, who
// have to be bounded: handlers are, by their prefetch.
type Group[T any] struct {
	pace  time.Duration
	write func(context.Context, []T) error

	mu      sync.Mutex
	waiting []member[T]
	running bool
}

// member waits for the commit.
type member[T any] struct {
	item T
	done chan error
}

const (
	// maxGroup bounds a transaction.
	maxGroup = 100
	// groupTimeout bounds it in time: it outlives the first of those it is for.
	groupTimeout = 10 * time.Second
)

// NewGroup returns a group whose members write writes, all or none. A group
// begins pace after the one before at the earliest; who comes alone waits for
// nobody. Zero: as soon as the one before is done.
func NewGroup[T any](pace time.Duration, write func(context.Context, []T) error) *Group[T] {
	return &Group[T]{pace: pace, write: write}
}

// Write returns when item is written, or why it is not: what is wrong with one is
// no matter of the others. When ctx ends first it may be written yet, so item is
// not the caller's any more, and a repeat must do no harm.
func (g *Group[T]) Write(ctx context.Context, item T) error {
	m := member[T]{item, make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	if !g.running {
		g.running = true
		go g.run(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes groups until nobody waits.
func (g *Group[T]) run(ctx context.Context) {
	for {
		g.mu.Lock()
		group := g.waiting[:min(len(g.waiting), maxGroup)]
		g.waiting = g.waiting[len(group):]
		g.running = len(group) > 0
		g.mu.Unlock()
		if len(group) == 0 {
			return
		}
		begun := time.Now()
		g.writeAll(ctx, group)
		if rest := g.pace - time.Since(begun); rest > 0 {
			pause(ctx, rest)
		}
	}
}

// writeAll writes all at once and, when that fails, each by itself.
func (g *Group[T]) writeAll(ctx context.Context, group []member[T]) {
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
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
