package rpc

// memoryFaults are what goes wrong next. The broker's lock guards them.
type memoryFaults struct {
	duplicates, confirms, acks faultCount
}

type faultCount int

func (n *faultCount) take() bool {
	if *n == 0 {
		return false
	}
	*n--
	return true
}

// Disconnect cuts every connection and refuses new ones until [MemoryBroker.Reconnect].
// What was being handled is delivered again.
func (b *MemoryBroker) Disconnect() {
	b.mu.Lock()
	b.down = true
	b.unlockAndTell(b.cut())
}

// Reconnect lets all connections come back.
func (b *MemoryBroker) Reconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = false
	b.join()
}

// Restart cuts every connection and lets it come back at once, in a new epoch.
func (b *MemoryBroker) Restart() {
	b.mu.Lock()
	tell := b.cut()
	if !b.down {
		b.join()
	}
	b.unlockAndTell(tell)
}

// cut detaches all before it gives anything back, so that nothing goes to a
// connection that is about to be cut as well.
func (b *MemoryBroker) cut() (tell []func()) {
	for t := range b.conns {
		t.detach()
	}
	for t := range b.conns {
		tell = append(tell, t.disconnect())
	}
	return tell
}

func (b *MemoryBroker) join() {
	for t := range b.conns {
		if !t.connected {
			t.connect()
		}
	}
	b.wake()
}

func (b *MemoryBroker) unlockAndTell(tell []func()) {
	b.mu.Unlock()
	for _, t := range tell {
		t()
	}
}

// Block makes the broker refuse or, with false, take messages, as RabbitMQ does
// when its memory or its disk runs out.
func (b *MemoryBroker) Block(blocked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked = blocked
	b.wake()
}

// Duplicate hands out each of the next n messages twice.
func (b *MemoryBroker) Duplicate(n int) {
	b.inject(func(f *memoryFaults) { f.duplicates = faultCount(n) })
}

// LoseConfirms stores the next n messages and does not tell their senders.
func (b *MemoryBroker) LoseConfirms(n int) {
	b.inject(func(f *memoryFaults) { f.confirms = faultCount(n) })
}

// LoseAcks ignores the next n settlements: those messages are delivered again
// when the connection of their receiver is cut.
func (b *MemoryBroker) LoseAcks(n int) { b.inject(func(f *memoryFaults) { f.acks = faultCount(n) }) }

func (b *MemoryBroker) inject(set func(*memoryFaults)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	set(&b.faults)
}

// Wipe empties all queues, as the loss of a broker's disk does. What is being
// handled stays.
func (b *MemoryBroker) Wipe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.queues {
		q.wipe()
	}
}
