package outbox

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"matriq/pkg/sqldb"
)

// notes are what became of the casts that this process sent, until it is written
// to their rows. Most are closed before that, and need none.
type notes struct {
	mu     sync.Mutex
	sent   map[string]bool
	failed int
	why    error
}

func (n *notes) add(sent bool, keys ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sent == nil {
		n.sent = map[string]bool{}
	}
	for _, key := range keys {
		n.sent[key] = sent
	}
}

// fail adds a cast that the broker did not store.
func (n *notes) fail(key string, why error) {
	n.add(false, key)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed++
	n.why = why
}

// drop forgets casts that were closed.
func (n *notes) drop(closed []openCast) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range closed {
		delete(n.sent, c.Key)
	}
}

// take returns the keys of all notes, in order, and how many sends failed since
// the last time, with the last reason.
func (n *notes) take() (sent, unsent []string, failed int, why error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, ok := range n.sent {
		if ok {
			sent = append(sent, key)
		} else {
			unsent = append(unsent, key)
		}
	}
	slices.Sort(sent)
	slices.Sort(unsent)
	failed, why = n.failed, n.why
	n.sent, n.failed, n.why = nil, 0, nil
	return sent, unsent, failed, why
}

// note writes when the casts of this process are sent next that are still open:
// those that were sent as they were, those that were not after retry.
func (b *Outbox) note(ctx context.Context, retry time.Duration) error {
	sent, unsent, failed, why := b.notes.take()
	if failed > 0 {
		b.o.Log.WarnContext(ctx, "casts not sent", slog.Int("casts", failed), slog.Any("error", why))
	}
	if err := b.noteKeys(ctx, noteOwnSent, sent, b.o.Resend); err != nil {
		b.notes.add(true, sent...)
		b.notes.add(false, unsent...)
		return err
	}
	if err := b.noteKeys(ctx, noteOwnUnsent, unsent, retry); err != nil {
		b.notes.add(false, unsent...)
		return err
	}
	return nil
}

const (
	noteOwnSent   = `UPDATE outbox SET sends = sends + 1, next_at = $NOW + ? WHERE cast_key IN ($IDS) AND next_at IS NOT NULL`
	noteOwnUnsent = `UPDATE outbox SET next_at = $NOW + ? WHERE cast_key IN ($IDS) AND next_at IS NOT NULL`
)

// noteKeys runs query on the rows with keys, a window of them at a time.
func (b *Outbox) noteKeys(ctx context.Context, query string, keys []string, wait time.Duration) error {
	for some := range slices.Chunk(keys, b.o.Window) {
		args := []any{wait.Milliseconds()}
		for _, key := range some {
			args = append(args, key)
		}
		if err := sqldb.Exec(ctx, b.db, b.db.SQL(sqldb.WithIDs(query, len(some))), args...); err != nil {
			return err
		}
	}
	return nil
}

// noteLast notes what is known at the end, and gives away at once what this
// process has not begun to send.
func (b *Outbox) noteLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.o.SendTimeout)
	defer cancel()
	for _, cast := range b.own.take() {
		b.notes.add(false, cast.Key)
	}
	if err := b.note(ctx, 0); err != nil {
		b.o.Log.WarnContext(ctx, "sent casts not noted: they will be sent again", slog.Any("error", err))
	}
}
