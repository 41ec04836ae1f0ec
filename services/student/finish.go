package student

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/enrollapi"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
)

// finishPace is how often what is finished is written, if anything is: a
// registration ends in three such notes, and nobody waits for them.
const finishPace = 100 * time.Millisecond

// Finish implements [Store].
func (s *SQLStore) Finish(ctx context.Context, done ...Finished) error {
	if len(done) == 0 {
		return nil
	}
	return s.done.Write(ctx, done)
}

// finishAll notes what is finished in one transaction.
func (s *SQLStore) finishAll(ctx context.Context, all [][]Finished) error {
	var casts []outbox.Done
	steps := map[string][]Finished{}
	for _, f := range slices.Concat(all...) {
		casts = append(casts, outbox.Done{Key: outbox.Key(subject(f.ID), f.Target), At: f.At})
		if notes[f.Target] != "" {
			steps[f.Target] = append(steps[f.Target], f)
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
func note(ctx context.Context, tx *sqldb.Tx, query string, done []Finished) error {
	args := make([]any, 0, 3*len(done))
	for _, f := range done {
		args = append(args, f.ID, f.At.UnixMilli())
	}
	for _, f := range done {
		args = append(args, f.ID)
	}
	query = strings.ReplaceAll(query, "$CASES", strings.Repeat(" WHEN ? THEN ?", len(done)))
	_, err := tx.ExecContext(ctx, sqldb.WithIDs(query, len(done)), args...)
	return err
}
