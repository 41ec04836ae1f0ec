package harness

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"matriq/pkg/mailsink"
)

// WaitComplete waits until everything of a registration is done, and fails the
// test unless there is then exactly one student, one enrolment, no open row of
// the outbox, one confirmation, and two mails in all.
func (s *Suite) WaitComplete(t *testing.T, email, first, last string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), mailTimeout)
	defer cancel()
	student, enroll := openDB(t, s.StudentDSN), openDB(t, s.EnrollDSN)
	var id, open, enrolments int64
	err := Poll(ctx, func() bool {
		id = number(t, student, `SELECT COALESCE(MAX(id), 0) FROM students WHERE email = ? AND firstname = ? AND lastname = ?`, email, first, last)
		open = number(t, student, `SELECT COUNT(*) FROM outbox WHERE closed_at IS NULL AND cast_key LIKE ?`, fmt.Sprintf("%%/%d/%%", id))
		enrolments = number(t, enroll, `SELECT COUNT(*) FROM enrolments WHERE student_id = ? AND firstname = ? AND lastname = ?`, id, first, last)
		return id != 0 && open == 0 && enrolments == 1
	})
	if err != nil {
		t.Fatalf("%s after %v: student %d, %d open casts, %d enrolments", email, mailTimeout, id, open, enrolments)
	}
	if n := number(t, student, `SELECT COUNT(*) FROM students WHERE email = ?`, email); n != 1 {
		t.Errorf("%s is registered %d times, want once", email, n)
	}
	if n := number(t, student, `SELECT COUNT(*) FROM outbox WHERE cast_key LIKE ?`, fmt.Sprintf("%%/%d/%%", id)); n != 3 {
		t.Errorf("student %d has %d rows in the outbox, want 3", id, n)
	}
	s.wantMails(t, email, id)
}

// wantMails fails the test unless the mailbox has one code and one
// confirmation with the student ID.
func (s *Suite) wantMails(t *testing.T, email string, id int64) {
	t.Helper()
	confirmation := func(m mailsink.Message) bool { return m.To == email && strings.Contains(m.Text, ID(id)) }
	s.WaitMail(t, "confirmation to "+email, confirmation)
	mails, confirmations := s.Mail.Messages(email), 0
	for _, m := range mails {
		if confirmation(m) {
			confirmations++
		}
	}
	if confirmations != 1 || len(mails) != 2 {
		t.Errorf("%s has %d mails, %d of them confirmations; want 2 and 1", email, len(mails), confirmations)
	}
}

// WithSuffix returns the DSN of the database whose name has suffix behind it,
// and drops that database when the test ends.
func WithSuffix(t *testing.T, dsn, suffix string) string {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dsn)
	name := cfg.DBName + suffix
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE IF EXISTS `"+name+"`"); err != nil {
			t.Error(err)
		}
	})
	cfg.DBName = name
	return cfg.FormatDSN()
}

// ID is a student ID as it is written.
func ID(id int64) string { return strconv.FormatInt(id, 10) }

func parseInt(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func openDB(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// number returns the one number that a query has.
func number(t *testing.T, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
