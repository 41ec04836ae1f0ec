package cache

import (
	"container/list"
	"sync"
)

// store keeps answers by key, those that were asked for last.
type store struct {
	maxEntries, maxBytes int

	mu    sync.Mutex
	bytes int
	order *list.List // of *entry, the last asked for in front
	byKey map[string]*list.Element
}

type entry struct {
	key    string
	answer *answer
}

func (e *entry) size() int { return len(e.key) + e.answer.size() }

func newStore(maxEntries, maxBytes int) *store {
	return &store{maxEntries: maxEntries, maxBytes: maxBytes, order: list.New(), byKey: map[string]*list.Element{}}
}

// get returns nil where nothing is kept.
func (s *store) get(key string) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, ok := s.byKey[key]
	if !ok {
		return nil
	}
	s.order.MoveToFront(element)
	return entryOf(element).answer
}

func (s *store) put(key string, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.byKey[key]; ok {
		s.remove(old)
	}
	e := &entry{key, a}
	s.byKey[key] = s.order.PushFront(e)
	s.bytes += e.size()
	for s.order.Len() > s.maxEntries || s.bytes > s.maxBytes {
		s.remove(s.order.Back())
	}
}

func (s *store) remove(element *list.Element) {
	e := entryOf(element)
	s.order.Remove(element)
	delete(s.byKey, e.key)
	s.bytes -= e.size()
}

func entryOf(element *list.Element) *entry {
	return element.Value.(*entry) //nolint:errcheck // the list holds nothing else
}

// flights let one fetch for all who want the same.
type flights struct {
	mu    sync.Mutex
	under map[string]chan struct{}
}

func newFlights() *flights { return &flights{under: map[string]chan struct{}{}} }

// board returns land for whoever comes first, to be called when the fetch has
// ended, and for all others landed, which is closed then.
func (f *flights) board(key string) (land func(), landed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if under, ok := f.under[key]; ok {
		return nil, under
	}
	under := make(chan struct{})
	f.under[key] = under
	return func() {
		f.mu.Lock()
		delete(f.under, key)
		f.mu.Unlock()
		close(under)
	}, nil
}
