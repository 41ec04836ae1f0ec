package outbox

import (
	"context"
	"sync"
	"time"

	"matriq/pkg/rpc"
)

// maxOwn bounds the memory of casts that wait for a broker that is slow or down.
// A relay finds the others once they are overdue.
const maxOwn = 4096

// own are the casts that this process has committed and is to send.
type own struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting []rpc.Message
}

func (o *own) add(casts []rpc.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting)+len(casts) <= maxOwn {
		o.waiting = append(o.waiting, casts...)
	}
}

func (o *own) take() []rpc.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	casts := o.waiting
	o.waiting = nil
	return casts
}

// Wake has the casts sent that were enqueued and committed here. It never blocks.
func (b *Outbox) Wake() {
	select {
	case b.own.wake <- struct{}{}:
	default: // they will be anyway
	}
}

// sendOwn sends what was enqueued here, each time it is woken, until ctx ends. It
// sees through what is then on its way.
func (b *Outbox) sendOwn(ctx context.Context, to rpc.Caster) {
	var sending sync.WaitGroup
	defer sending.Wait()
	window := make(chan struct{}, b.o.Window)
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.own.wake:
		}
		for _, cast := range b.own.take() {
			select {
			case <-ctx.Done():
			case window <- struct{}{}:
			}
			if ctx.Err() != nil {
				b.notes.add(false, cast.Key)
				continue
			}
			sending.Go(func() {
				b.sendOne(ctx, to, cast)
				<-window
			})
		}
	}
}

// sendOne sends a cast and has it noted what became of it. One that has expired
// here is left to the relay, which asks the database's clock.
func (b *Outbox) sendOne(ctx context.Context, to rpc.Caster, cast rpc.Message) {
	// A stop does not end what has begun.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.o.SendTimeout)
	defer cancel()
	if !cast.Deadline.IsZero() && !cast.Deadline.After(time.Now()) {
		b.notes.add(false, cast.Key)
		return
	}
	if err := to.Cast(ctx, cast); err != nil {
		b.notes.fail(cast.Key, err)
		return
	}
	b.metrics.sent(1, 0)
	b.notes.add(true, cast.Key)
}
