package student

import (
	"context"
	"fmt"
	"strings"
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

// finishPace is how often what is finished is written, if anything is: a
// registration ends in three such notes, and nobody waits for them.
const finishPace = 20 * time.Millisecond

// Finish implements [Store].
func (s *SQLStore) Finish(ctx context.Context, id int64, target string, at time.Time) error {
	return s.done.Write(ctx, finished{id, target, at})
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
