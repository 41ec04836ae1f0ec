package student

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
)

// registerPace is how often registrations are written, if there are any: who comes
// in a rush waits so much longer at the most, and shares a commit and all that follows
// it. As many as are handled at a time do not wait.
const registerPace = 50 * time.Millisecond

// registering is a registration on its way into the database, and what came of it.
type registering struct {
	Registration
	followUps func(id int64) ([]rpc.Message, error)

	id    int64
	first bool
}

// Register implements [Store].
func (s *SQLStore) Register(ctx context.Context, r Registration) (int64, bool, error) {
	one := &registering{Registration: r, followUps: func(id int64) ([]rpc.Message, error) { return followUps(ctx, id, r) }}
	if err := s.registrations.Write(ctx, one); err != nil {
		return 0, false, fmt.Errorf("register: %w", err)
	}
	return one.id, one.first, nil
}

// registerAll registers everybody in one transaction. Of those who have the same
// address one is the first.
func (s *SQLStore) registerAll(ctx context.Context, all []*registering) error {
	all = slices.SortedStableFunc(slices.Values(all), byEmail) // two replicas lock addresses in one order
	return sqldb.InTx(ctx, s.db, func(tx *sqldb.Tx) error {
		created, known, err := create(ctx, tx, slices.CompactFunc(slices.Clone(all), sameEmail))
		if err != nil {
			return err
		}
		var casts []rpc.Message
		for i, r := range all {
			id, isNew := created[r.Email]
			r.id, r.first = id, isNew && (i == 0 || !sameEmail(all[i-1], r))
			if !isNew {
				r.id = known[r.Email]
			}
			if !r.first {
				continue
			}
			follow, err := r.followUps(id)
			if err != nil {
				return err
			}
			casts = append(casts, outbox.For(subject(id), follow...)...)
		}
		return s.box.EnqueueAll(ctx, tx, casts)
	})
}

func byEmail(a, b *registering) int { return cmp.Compare(a.Email, b.Email) }

func sameEmail(a, b *registering) bool { return a.Email == b.Email }

// create adds students and returns their IDs by address: of those who are new, and
// of those who were known. The unique index decides who has an address.
func create(ctx context.Context, tx *sqldb.Tx, all []*registering) (created, known map[string]int64, err error) {
	created, err = insertStudents(ctx, tx, all)
	if !sqldb.IsDuplicate(err) {
		return created, nil, err
	}
	if known, err = findStudents(ctx, tx, all); err != nil {
		return nil, nil, err
	}
	others := slices.DeleteFunc(all, func(r *registering) bool { return known[r.Email] != 0 })
	created, err = insertStudents(ctx, tx, others)
	return created, known, err
}

func insertStudents(ctx context.Context, tx *sqldb.Tx, all []*registering) (map[string]int64, error) {
	if len(all) == 0 {
		return nil, nil //nolint:nilnil // nobody is added
	}
	args := make([]any, 0, 3*len(all))
	for _, r := range all {
		args = append(args, r.Email, r.Firstname, r.Lastname)
	}
	values := strings.TrimSuffix(strings.Repeat("(?, ?, ?, $NOW),", len(all)), ",")
	ids, err := scanIDs(tx.QueryContext(ctx, tx.SQL(
		`INSERT INTO students (email, firstname, lastname, registered_at) VALUES `+values+` RETURNING email, id`), args...))
	if err != nil {
		return nil, fmt.Errorf("insert students: %w", err)
	}
	return ids, nil
}

func findStudents(ctx context.Context, tx *sqldb.Tx, all []*registering) (map[string]int64, error) {
	emails := make([]any, len(all))
	for i, r := range all {
		emails[i] = r.Email
	}
	ids, err := scanIDs(tx.QueryContext(ctx, sqldb.WithIDs(`SELECT email, id FROM students WHERE email IN ($IDS)`, len(all)), emails...))
	if err != nil {
		return nil, fmt.Errorf("find students: %w", err)
	}
	return ids, nil
}

// scanIDs reads IDs by address and closes rows.
func scanIDs(rows *sql.Rows, err error) (map[string]int64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[string]int64{}
	for rows.Next() {
		var email string
		var id int64
		if err := rows.Scan(&email, &id); err != nil {
			return nil, err
		}
		ids[email] = id
	}
	return ids, rows.Err()
}
