package rpc

import (
	"sync"
	"sync/atomic"
	"time"
)

// detourLife is how long the workers of a service are taken for Nameko's alone before
// a call looks again, which costs it a way to the broker and back.
const detourLife = 5 * time.Second

// ways has the way to each service that was called.
type ways struct {
	mu sync.RWMutex
	to map[string]*way
}

// way is how the requests of a service go: straight to its call queue, or, where it
// had none a moment ago, through the exchange nameko-rpc.
type way struct {
	queue  string
	detour atomic.Pointer[time.Time] // until when; nil: never taken
}

func (w *ways) of(service string) *way {
	w.mu.RLock()
	known := w.to[service]
	w.mu.RUnlock()
	if known != nil {
		return known
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.to == nil {
		w.to = make(map[string]*way)
	}
	if w.to[service] == nil {
		w.to[service] = &way{queue: callQueue(service)}
	}
	return w.to[service]
}

func (w *way) isStraight() bool {
	until := w.detour.Load()
	return until == nil || !time.Now().Before(*until)
}

func (w *way) takeDetour() {
	until := time.Now().Add(detourLife)
	w.detour.Store(&until)
}
