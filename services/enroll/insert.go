package enroll

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"matriq/pkg/sqldb"
)

// pace is how often records are written, if there are any: nobody waits for them.
const pace = 100 * time.Millisecond

// record is an enrolment on its way into the database, and what came of it.
type record struct {
	Enrolment
	at    int64
	first bool
}

// Insert implements [Store].
func (s *SQLStore) Insert(ctx context.Context, e Enrolment) (time.Time, bool, error) {
	r := &record{Enrolment: e}
	if err := s.records.Write(ctx, r); err != nil {
		return time.Time{}, false, fmt.Errorf("insert enrolment: %w", err)
	}
	return time.UnixMilli(r.at).UTC(), r.first, nil
}

// insertAll records everybody with one statement or, when somebody is known, with
// three. Each is a transaction: a repeat finds what is there. Of those who are the
// same student one is the first.
func (s *SQLStore) insertAll(ctx context.Context, all []*record) error {
	all = slices.SortedStableFunc(slices.Values(all), byStudent) // two replicas lock students in one order
	created, known, err := s.create(ctx, slices.CompactFunc(slices.Clone(all), sameStudent))
	if err != nil {
		return err
	}
	for i, r := range all {
		r.at, r.first = created[r.StudentID]
		if !r.first {
			r.at = known[r.StudentID]
		}
		r.first = r.first && (i == 0 || !sameStudent(all[i-1], r))
	}
	return nil
}

func byStudent(a, b *record) int { return cmp.Compare(a.StudentID, b.StudentID) }

func sameStudent(a, b *record) bool { return a.StudentID == b.StudentID }

// create adds records and returns their times by student: of those who are new, and
// of those who were known. The primary key, not a prior read, decides.
func (s *SQLStore) create(ctx context.Context, all []*record) (created, known map[int64]int64, err error) {
	created, err = s.insertRecords(ctx, all)
	if !sqldb.IsDuplicate(err) {
		return created, nil, err
	}
	if known, err = s.findRecords(ctx, all); err != nil {
		return nil, nil, err
	}
	others := slices.DeleteFunc(all, func(r *record) bool { _, is := known[r.StudentID]; return is })
	created, err = s.insertRecords(ctx, others)
	return created, known, err
}

func (s *SQLStore) insertRecords(ctx context.Context, all []*record) (map[int64]int64, error) {
	if len(all) == 0 {
		return nil, nil //nolint:nilnil // nobody is added
	}
	args := make([]any, 0, 3*len(all))
	for _, r := range all {
		args = append(args, r.StudentID, r.Firstname, r.Lastname)
	}
	values := strings.TrimSuffix(strings.Repeat("(?, ?, ?, $NOW),", len(all)), ",")
	return scanTimes(s.db.QueryContext(ctx, s.db.SQL(
		`INSERT INTO enrolments (student_id, firstname, lastname, enrolled_at) VALUES `+values+` RETURNING student_id, enrolled_at`), args...))
}

func (s *SQLStore) findRecords(ctx context.Context, all []*record) (map[int64]int64, error) {
	ids := make([]any, len(all))
	for i, r := range all {
		ids[i] = r.StudentID
	}
	return scanTimes(s.db.QueryContext(ctx, sqldb.WithIDs(
		`SELECT student_id, enrolled_at FROM enrolments WHERE student_id IN ($IDS)`, len(all)), ids...))
}

// scanTimes reads times by student and closes rows.
func scanTimes(rows *sql.Rows, err error) (map[int64]int64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	times := map[int64]int64{}
	for rows.Next() {
		var id, at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, err
		}
		times[id] = at
	}
	return times, rows.Err()
}
