package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/sqldb"
)

// Longest rest of a relay that meets nothing but failures.
const maxRest = 5 * time.Second

// Relay sends casts until ctx ends: those that this process enqueued, when it is
// woken, and open rows that are overdue. The casts that are then on their way are
// seen through, and those that have not begun are left to other replicas at once.
// Every replica runs one: they share the rows.
//
// Nothing is locked while it waits for the broker. A broker or a database that
// is down is met with ever longer rests, up to 5 s; casts whose service alone is
// missing hold up no others.
func (b *Outbox) Relay(ctx context.Context, to rpc.Caster) error {
	var running sync.WaitGroup
	running.Go(func() { b.measure(ctx) })
	running.Go(func() { b.sendOwn(ctx, to) })
	b.sendOverdue(ctx, to)
	running.Wait()
	b.noteLast(ctx)
	return nil
}

// sendOverdue looks for rows that are due until ctx ends.
func (b *Outbox) sendOverdue(ctx context.Context, to rpc.Caster) {
	rest := time.Duration(0)
	for ctx.Err() == nil {
		b.Wake() // for what was committed and nobody woke it
		full, ok := b.pass(ctx, to)
		switch {
		case !ok:
			rest = min(max(2*rest, 100*time.Millisecond), maxRest)
			b.sleep(ctx, rest)
		case full:
			rest = 0
		default:
			rest = 0
			b.sleep(ctx, b.o.Poll)
		}
	}
}

// sleep returns when d has passed or ctx ended.
func (b *Outbox) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// pass notes what was sent and sends one window of overdue casts. full tells that
// there may be more at once; ok is false when the database failed or the broker took
// nothing.
func (b *Outbox) pass(ctx context.Context, to rpc.Caster) (full, ok bool) {
	// A stop does not end what has begun: rows claimed and not sent would wait
	// for the end of their lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.o.SendTimeout)
	defer cancel()
	if err := b.note(ctx, b.o.Retry); err != nil {
		b.o.Log.WarnContext(ctx, "sent casts not noted yet", slog.Any("error", err))
		return false, false
	}
	rows, err := b.claim(ctx)
	if err != nil {
		b.o.Log.WarnContext(ctx, "outbox cannot be read", slog.Any("error", err))
		return false, false
	}
	if len(rows) == 0 {
		return false, true
	}
	errs := b.sendAll(ctx, to, rows)
	failed, first := count(errs)
	if failed > 0 {
		b.o.Log.WarnContext(ctx, "casts not sent", slog.Int("casts", failed), slog.Any("error", first))
	}
	if err := b.settle(ctx, rows, errs); err != nil {
		b.o.Log.WarnContext(ctx, "sent casts not noted: they will be sent again", slog.Any("error", err))
		return false, false
	}
	return len(rows) == b.o.Window, failed < len(rows)
}

// sendAll hands the rows to the broker side by side, so that their confirms
// overlap, and returns what became of each.
func (b *Outbox) sendAll(ctx context.Context, to rpc.Caster, rows []claimed) []error {
	errs := make([]error, len(rows))
	var sending sync.WaitGroup
	for i, row := range rows {
		if !row.expired {
			sending.Go(func() { errs[i] = to.Cast(ctx, row.cast) })
		}
	}
	sending.Wait()
	return errs
}

func count(errs []error) (failed int, first error) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		if failed++; first == nil {
			first = err
		}
	}
	return failed, first
}

// settle notes what became of the rows: when each is sent next, or that it has
// expired. A row that was closed meanwhile stays closed.
func (b *Outbox) settle(ctx context.Context, rows []claimed, errs []error) error {
	// The note gets a time of its own: the sending may have used up ctx's.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.o.SendTimeout)
	defer cancel()
	sent := map[time.Duration][]any{}
	var failed, expired []any
	resends := 0
	for i, row := range rows {
		switch {
		case row.expired:
			expired = append(expired, row.id)
		case errs[i] != nil:
			failed = append(failed, row.id)
		default:
			wait := b.resendAfter(row.sends)
			sent[wait] = append(sent[wait], row.id)
			resends += min(row.sends, 1)
		}
	}
	err := sqldb.InTx(ctx, b.db, func(tx *sqldb.Tx) error {
		for wait, ids := range sent {
			if err := put(ctx, tx, noteSent, ids, wait.Milliseconds()); err != nil {
				return err
			}
		}
		if err := put(ctx, tx, noteFailed, failed, b.o.Retry.Milliseconds()); err != nil {
			return err
		}
		return put(ctx, tx, noteExpired, expired)
	})
	if err == nil {
		b.metrics.sent(len(rows)-len(failed)-len(expired), resends)
	}
	return err
}

const (
	noteSent    = `UPDATE outbox SET sends = sends + 1, next_at = $NOW + ? WHERE id IN ($IDS) AND next_at IS NOT NULL`
	noteFailed  = `UPDATE outbox SET next_at = $NOW + ? WHERE id IN ($IDS) AND next_at IS NOT NULL`
	noteExpired = `UPDATE outbox SET next_at = NULL, closed_at = $NOW WHERE id IN ($IDS) AND next_at IS NOT NULL`
)

// put runs query on the rows with ids, if there are any.
func put(ctx context.Context, tx *sqldb.Tx, query string, ids []any, args ...any) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, tx.SQL(sqldb.WithIDs(query, len(ids))), append(args, ids...)...)
	return err
}

// resendAfter doubles from Resend to ResendMax with the times a cast was sent.
func (b *Outbox) resendAfter(sends int) time.Duration {
	wait := b.o.Resend
	for range sends {
		if wait *= 2; wait >= b.o.ResendMax {
			return b.o.ResendMax
		}
	}
	return wait
}
