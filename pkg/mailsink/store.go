package mailsink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// store holds the newest mails, oldest first, bounded in number and in bytes.
type store struct {
	maxCount, maxBytes int

	mu    sync.Mutex
	kept  []Message
	bytes int
	last  int64         // ID of the newest
	added chan struct{} // closed at the next arrival
}

func newStore(maxCount, maxBytes int) *store {
	return &store{maxCount: maxCount, maxBytes: maxBytes, added: make(chan struct{})}
}

// add keeps m and forgets the oldest mails beyond the bounds, but never m.
func (s *store) add(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	m.ID, m.ReceivedAt = s.last, time.Now().UTC()
	s.kept = append(s.kept, m)
	s.bytes += len(m.Raw)
	for len(s.kept) > 1 && (len(s.kept) > s.maxCount || s.bytes > s.maxBytes) {
		s.bytes -= len(s.kept[0].Raw)
		s.kept[0] = Message{}
		s.kept = s.kept[1:]
	}
	close(s.added)
	s.added = make(chan struct{})
}

func (s *store) list(to string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Message{}
	for _, m := range slices.Backward(s.kept) {
		if to == "" || strings.EqualFold(m.To, to) {
			found = append(found, m)
		}
	}
	return found
}

func (s *store) get(id int64) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := int(id - s.last + int64(len(s.kept)) - 1)
	if id > s.last || i < 0 {
		return Message{}, false
	}
	return s.kept[i], true
}

func (s *store) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *store) wait(ctx context.Context, match func(Message) bool) (Message, error) {
	for after := int64(0); ; {
		fresh, added := s.since(after)
		for _, m := range fresh {
			if match(m) {
				return m, nil
			}
			after = m.ID
		}
		select {
		case <-added:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("no such mail among %d: %w", s.count(), context.Cause(ctx))
		}
	}
}

// since returns the kept mails after an ID, and a channel that is closed when
// there is another.
func (s *store) since(id int64) ([]Message, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.kept
	if n := s.last - id; n < int64(len(fresh)) {
		fresh = fresh[int64(len(fresh))-n:]
	}
	return slices.Clone(fresh), s.added
}
