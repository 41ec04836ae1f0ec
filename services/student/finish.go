package student

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/enrollapi"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
)

// finished is a cast of a student's registration that was done.
type finished struct {
	id     int64
	target string
	at     time.Time
}

// finisher writes what is finished in groups: whatever comes while a transaction
// is under way shares the next one. A registration ends in three such notes, and a
// commit costs the database the same for one as for fifty.
type finisher struct {
	write func(context.Context, []finished) error

	mu      sync.Mutex
	waiting []noting
	running bool
}

// noting is one who waits for the commit.
type noting struct {
	finished
	done chan error
}

const (
	// maxGroup bounds a transaction.
	maxGroup = 100
	// groupTimeout bounds it in time: it outlives the first of those it is for.
	groupTimeout = 10 * time.Second
)

// finish returns when one is committed, or why it is not. When ctx ends first it
// may be committed yet: to note it again changes nothing.
func (f *finisher) finish(ctx context.Context, one finished) error {
	n := noting{one, make(chan error, 1)}
	f.mu.Lock()
	f.waiting = append(f.waiting, n)
	if !f.running {
		f.running = true
		go f.run(context.WithoutCancel(ctx))
	}
	f.mu.Unlock()
	select {
	case err := <-n.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes groups until nobody waits.
func (f *finisher) run(ctx context.Context) {
	for {
		f.mu.Lock()
		group := f.waiting[:min(len(f.waiting), maxGroup)]
		f.waiting = f.waiting[len(group):]
		f.running = len(group) > 0
		f.mu.Unlock()
		if len(group) == 0 {
			return
		}
		f.writeGroup(ctx, group)
	}
}

// writeGroup writes all at once and, when that fails, each by itself: what is
// wrong with one is no matter of the others.
func (f *finisher) writeGroup(ctx context.Context, group []noting) {
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
	defer cancel()
	all := make([]finished, len(group))
	for i, n := range group {
		all[i] = n.finished
	}
	err := f.write(ctx, all)
	for i, n := range group {
		if err != nil && len(group) > 1 {
			n.done <- f.write(ctx, all[i:i+1])
			continue
		}
		n.done <- err
	}
}

// Finish implements [Store].
func (s *SQLStore) Finish(ctx context.Context, id int64, target string, at time.Time) error {
	return s.done.finish(ctx, finished{id, target, at})
}

// finishAll notes what is finished in one transaction.
func (s *SQLStore) finishAll(ctx context.Context, all []finished) error {
	casts := make([]outbox.Done, len(all))
	steps := map[string][]finished{}
	for i, f := range all {
		casts[i] = outbox.Done{Key: outbox.Key(subject(f.id), f.target), At: f.at}
		if notes[f.target] != "" {
			steps[f.target] = append(steps[f.target], f)
		}
	}
	return sqldb.InTx(ctx, s.db, func(tx *sqldb.Tx) error {
		if err := s.box.Close(ctx, tx, casts...); err != nil {
			return err
		}
		for target, done := range steps {
			if err := note(ctx, tx, notes[target], done); err != nil {
				return fmt.Errorf("note progress: %w", err)
			}
		}
		return nil
	})
}

// notes have the step of the progress that a cast is, where it is one. The first
// time stays.
var notes = map[string]string{
	enrollapi.Insert.Name():          `UPDATE students SET enrolled_at = CASE id$CASES END WHERE id IN ($IDS) AND enrolled_at IS NULL`,
	emailapi.SendConfirmation.Name(): `UPDATE students SET emailed_at = CASE id$CASES END WHERE id IN ($IDS) AND emailed_at IS NULL`,
}

// note writes one step for several students.
func note(ctx context.Context, tx *sqldb.Tx, query string, done []finished) error {
	args := make([]any, 0, 3*len(done))
	for _, f := range done {
		args = append(args, f.id, f.at.UnixMilli())
	}
	for _, f := range done {
		args = append(args, f.id)
	}
	query = strings.ReplaceAll(query, "$CASES", strings.Repeat(" WHEN ? THEN ?", len(done)))
	_, err := tx.ExecContext(ctx, sqldb.WithIDs(query, len(done)), args...)
	return err
}
