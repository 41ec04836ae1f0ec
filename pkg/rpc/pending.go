package rpc

import "sync"

// pending holds the calls that wait for a reply. Whoever takes a call out of it
// decides its outcome, so each has exactly one.
type pending struct {
	mu    sync.Mutex
	calls map[string]waiting
	// ended is the latest epoch that is over.
	ended uint64
	// spare has channels that have told their outcome.
	spare sync.Pool
}

type waiting struct {
	epoch   uint64
	outcome chan outcome // of capacity one
}

// outcome is the body of a reply, or a failure.
type outcome struct {
	body    []byte
	failure *Error
}

// add returns where the outcome of the call id will arrive; ok is false when
// its epoch is over already.
func (p *pending) add(id string, epoch uint64) (result chan outcome, ok bool) {
	result, ok = p.spare.Get().(chan outcome)
	if !ok {
		result = make(chan outcome, 1)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch <= p.ended {
		return nil, false
	}
	if p.calls == nil {
		p.calls = make(map[string]waiting)
	}
	p.calls[id] = waiting{epoch: epoch, outcome: result}
	return result, true
}

// reuse takes back what has told its outcome, which is the last thing to come out
// of it.
func (p *pending) reuse(result chan outcome) { p.spare.Put(result) }

// settle gives the call id its outcome; false means that nobody waits for it.
func (p *pending) settle(id string, o outcome) bool {
	p.mu.Lock()
	w, ok := p.calls[id]
	delete(p.calls, id)
	p.mu.Unlock()
	if ok {
		w.outcome <- o
	}
	return ok
}

// forget removes a call whose caller has gone.
func (p *pending) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, id)
}

// lose ends epoch for all who wait in it.
func (p *pending) lose(epoch uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = max(p.ended, epoch)
	for id, w := range p.calls {
		if w.epoch <= epoch {
			delete(p.calls, id)
			w.outcome <- outcome{failure: lostReply()}
		}
	}
}
