package chaos_test

import (
	"context"
	"sync"
	"testing"
	"time"
)

const (
	concurrency = 48
	// patience is how long people try, from the first one's arrival.
	patience = 100 * time.Second
)

// crowd is the people and what they were told.
type crowd struct {
	people []*person
	done   chan struct{} // closed when nobody tries any more

	mu   sync.Mutex
	told map[*person]int64
}

func newCrowd(n int, who func(i int) *person) *crowd {
	c := &crowd{done: make(chan struct{}), told: map[*person]int64{}}
	for i := range n {
		c.people = append(c.people, who(i+1))
	}
	return c
}

// come lets people come one after the other, a pause between them, and register,
// some at a time.
func (c *crowd) come(ctx context.Context, arrival time.Duration, register func(*person, context.Context) (id int64, err error)) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	queue := make(chan *person)
	var trying sync.WaitGroup
	for range concurrency {
		trying.Go(func() {
			for p := range queue {
				id, err := register(p, ctx)
				if err == nil { // else she is missed in check
					c.note(p, id)
				}
			}
		})
	}
	go func() {
		for _, p := range c.people {
			queue <- p
			pause(ctx, arrival)
		}
		close(queue)
		trying.Wait()
		cancel()
		close(c.done)
	}()
}

func (c *crowd) note(p *person, id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[p] = id
}

// check fails the test for who was not told.
func (c *crowd) check(t *testing.T) {
	t.Helper()
	for _, p := range c.people {
		if c.told[p] == 0 {
			t.Errorf("%s was not told of a registration within %v; at last: %s", p.Email, patience, p.lastTrial)
		}
	}
}
