package chaos_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
)

// settleTimeout is how long everything may take to be done after the last kill.
// A relay that died holds its rows for 30 s, a mail worker its mail for 20 s and
// the wait for the next attempt.
const settleTimeout = 100 * time.Second

// castsEach is how many casts follow a registration: enroll.insert, email.send
// and otp.retire.
const castsEach = 3

// names are what a database has of a student.
type names struct{ email, first, last string }

// ledger compares what people were told with what was done.
type ledger struct {
	student, enroll *sql.DB
	mail            *mailRoom
}

func newLedger(t *testing.T, s *system) *ledger {
	t.Helper()
	return &ledger{student: openDB(t, s.servers.studentDSN()), enroll: openDB(t, s.servers.enrollDSN()), mail: s.mail}
}

// settle waits until nothing is left to be done.
func (l *ledger) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	open := -1
	err := harness.Poll(ctx, func() bool {
		// Right after the last kill the server may not answer yet.
		return l.student.QueryRowContext(ctx, `SELECT COUNT(*) FROM outbox WHERE closed_at IS NULL`).Scan(&open) == nil && open == 0
	})
	if err != nil {
		t.Errorf("%d casts are open %v after the last kill, want none:\n%s", open, settleTimeout, strings.Join(l.openCasts(t), "\n"))
	}
}

func (l *ledger) openCasts(t *testing.T) []string {
	t.Helper()
	var list []string
	each(t, l.student, `SELECT cast_key, sends, next_at - UNIX_TIMESTAMP(NOW(3)) * 1000 FROM outbox WHERE closed_at IS NULL`, func(scan func(...any) error) error {
		var key string
		var sends int
		var next float64
		err := scan(&key, &sends, &next)
		list = append(list, fmt.Sprintf("%s sent %d times, next in %.0f ms", key, sends, next))
		return err
	})
	return list
}

// check fails the test unless who was told of a registration has it, and
// everybody who has one has all of it, once.
func (l *ledger) check(t *testing.T, told map[*person]int64) {
	t.Helper()
	students, enrolments, casts := l.students(t), l.enrolments(t), l.casts(t)
	for p, id := range told {
		if got, want := students[id], (names{p.Email, p.Firstname, p.Lastname}); got != want {
			t.Errorf("%s was told student ID %d, which is %+v", p.Email, id, got)
		}
	}
	count := map[string]int{}
	for id, s := range students {
		count[s.email]++
		if got := enrolments[id]; got != (names{first: s.first, last: s.last}) {
			t.Errorf("enrolment of %d, %+v, is %+v", id, s, got)
		}
		if casts[id] != castsEach {
			t.Errorf("student %d has %d closed casts, want %d", id, casts[id], castsEach)
		}
		if l.confirmations(s.email, id) == 0 {
			t.Errorf("%s has no confirmation of %d", s.email, id)
		}
	}
	l.checkMails(t, students)
	for email, n := range count {
		if n != 1 {
			t.Errorf("%s has %d student IDs, want 1", email, n)
		}
	}
	if len(enrolments) != len(students) || len(casts) != len(students) {
		t.Errorf("%d students, %d enrolled, %d with casts; want as many of each", len(students), len(enrolments), len(casts))
	}
}

var idPattern = regexp.MustCompile(`\b69\d{6}\b`)

// checkMails fails the test for each mail with the student ID of somebody else.
func (l *ledger) checkMails(t *testing.T, students map[int64]names) {
	t.Helper()
	for _, m := range l.mail.Messages("") {
		for _, written := range idPattern.FindAllString(m.Text, -1) {
			id, err := strconv.ParseInt(written, 10, 64)
			if err != nil || students[id].email != m.To {
				t.Errorf("a mail to %s has the student ID %s, which is of %+v", m.To, written, students[id])
			}
		}
	}
}

func (l *ledger) students(t *testing.T) map[int64]names {
	t.Helper()
	list := map[int64]names{}
	each(t, l.student, `SELECT id, email, firstname, lastname FROM students`, func(scan func(...any) error) error {
		var id int64
		var n names
		err := scan(&id, &n.email, &n.first, &n.last)
		list[id] = n
		return err
	})
	return list
}

func (l *ledger) enrolments(t *testing.T) map[int64]names {
	t.Helper()
	list := map[int64]names{}
	each(t, l.enroll, `SELECT student_id, firstname, lastname FROM enrolments`, func(scan func(...any) error) error {
		var id int64
		var n names
		err := scan(&id, &n.first, &n.last)
		list[id] = n
		return err
	})
	return list
}

// casts counts the closed casts of each student.
func (l *ledger) casts(t *testing.T) map[int64]int {
	t.Helper()
	list := map[int64]int{}
	each(t, l.student, `SELECT cast_key FROM outbox WHERE closed_at IS NOT NULL`, func(scan func(...any) error) error {
		var key string
		if err := scan(&key); err != nil {
			return err
		}
		parts := strings.Split(key, "/") // …/ID/target
		id, err := strconv.ParseInt(parts[len(parts)-2], 10, 64)
		list[id]++
		return err
	})
	return list
}

func (l *ledger) confirmations(email string, id int64) (n int) {
	for _, m := range l.mail.Messages(email) {
		if strings.Contains(m.Text, harness.ID(id)) {
			n++
		}
	}
	return n
}

// each calls row for every row of a query.
func each(t *testing.T, db *sql.DB, query string, row func(scan func(...any) error) error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
