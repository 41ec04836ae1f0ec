package rows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/bench/procfs"
	"matriq/bench/stand"
)

func millions() Row {
	return Row{
		Name: "million", Title: "A million eligible, a million students",
		About: "Journeys by REST, 64 at once, where few are listed and few are registered, and where a million of each are: " +
			"students, enrolments, and the three closed casts that each has left. Both have servers and services of their own, " +
			"and take turns; what the one that rests uses counts for the other. What the servers put off while the million was " +
			"made, they do before.",
		Slow:    true,
		Measure: measureMillions,
	}
}

// The two that take turns.
const (
	few  = "few"
	many = "a million"
)

func measureMillions(ctx context.Context, b Bench, tell func(measure.Result)) (err error) {
	b.Plan.Length *= journeyLength
	people := 2000 + int((float64(b.Plan.Rounds+b.Plan.Repeats)*b.Plan.Length.Seconds()+b.Plan.WarmUp.Seconds())*600)
	emptier, err := stand.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, emptier.Close()) }()
	withFew, err := newWorld(ctx, Bench{Stand: emptier, Plan: b.Plan}, people)
	if err != nil {
		return err
	}
	withMany, err := newWorld(ctx, b, people)
	if err != nil {
		return err
	}
	crowd := million
	if b.Quick {
		crowd = 1000
	}
	b.Plan.Say(fmt.Sprintf("making %d of each", crowd))
	if err := withMany.fill(ctx, crowd); err != nil {
		return err
	}
	if err := withMany.list(ctx, million, crowd); err != nil {
		return err
	}
	b.Plan.Names = func() procfs.Names { return together(b.Stand, emptier) }
	b.Plan.Say("the servers write what was made")
	if err := withMany.calm(ctx, b.Plan.Names()); err != nil {
		return err
	}
	return compare(ctx, b, measure.Case{
		Name:       fmt.Sprintf("%d of each, and few", crowd),
		Contenders: []measure.Contender{withFew.registering(few, peer.PlanREST, 64), withMany.registering(many, peer.PlanREST, 64)},
		Targets:    []measure.Target{measure.Ratio(measure.Served, many, few, true, 110)},
	}, tell)
}

// together are the processes of two stands.
func together(one, other *stand.Stand) procfs.Names {
	names := one.Names()
	maps.Copy(names, other.Names())
	return names
}

const (
	// calmed is how much of a core all processes may use together that have nothing to
	// do, and calmWithin how long they may take to come to that.
	calmed     = 0.2
	calmWithin = 2 * time.Minute
	calmLook   = 2 * time.Second
)

// calm has the servers finish what they put off while a million was made: pages that
// wait to be written, and Redis's log. Later it would be paid by the journeys.
func (w *world) calm(ctx context.Context, names procfs.Names) error {
	if err := w.flushPages(ctx); err != nil {
		return fmt.Errorf("flush MariaDB's pages: %w", err)
	}
	for end := time.Now().Add(calmWithin); time.Now().Before(end); {
		watch, err := procfs.Begin(names)
		if err != nil {
			return err
		}
		if err := wait(ctx, calmLook); err != nil {
			return err
		}
		usage, err := watch.End()
		if err != nil {
			return err
		}
		busy := usage.Kernel
		for _, used := range usage.Own {
			busy += used
		}
		if busy.Seconds() < calmed*usage.Elapsed.Seconds() {
			return nil
		}
	}
	return fmt.Errorf("the servers are still at work after %v", calmWithin)
}

// flushPages returns when few of MariaDB's pages wait to be written, or after a while.
func (w *world) flushPages(ctx context.Context) error {
	if _, err := w.students.ExecContext(ctx, `SET GLOBAL innodb_max_dirty_pages_pct = 0`); err != nil {
		return err
	}
	for end := time.Now().Add(calmWithin); time.Now().Before(end); {
		var name string
		var dirty int
		if err := w.students.QueryRowContext(ctx, `SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'`).Scan(&name, &dirty); err != nil {
			return err
		}
		if dirty < 100 {
			break
		}
		if err := wait(ctx, calmLook); err != nil {
			return err
		}
	}
	_, err := w.students.ExecContext(ctx, `SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT`)
	return err
}

// fill makes students who registered long ago, with all that is kept of them.
func (w *world) fill(ctx context.Context, n int) error {
	now := time.Now().UnixMilli()
	for _, table := range []struct {
		rows string
		args []any
	}{
		{`bench_student.students (email, firstname, lastname, registered_at, enrolled_at, emailed_at)
			SELECT CONCAT('earlier', seq, '@example.ac.th'), 'Somchai', 'Jaidee', ?, ?, ? FROM seq_1_to_$N`, []any{now, now, now}},
		{`bench_enroll.enrolments (student_id, firstname, lastname, enrolled_at)
			SELECT id, firstname, lastname, ? FROM bench_student.students WHERE email LIKE 'earlier%'`, []any{now}},
		{`bench_student.outbox (cast_key, target, body, travels, sends, created_at, closed_at)
			SELECT CONCAT('student/earlier', seq, '/', target), target, REPEAT('x', 150), '{}', 1, ?, ?
			FROM seq_1_to_$N, (SELECT 'enroll.insert' AS target UNION SELECT 'email.send' UNION SELECT 'otp.retire') AS targets`, []any{now, now}},
	} {
		statement := "INSERT INTO " + strings.ReplaceAll(table.rows, "$N", strconv.Itoa(n)) //nolint:gosec // G202: the statements above and a number
		if _, err := w.students.ExecContext(ctx, statement, table.args...); err != nil {
			return fmt.Errorf("make %d of each: %w", n, err)
		}
	}
	return nil
}
