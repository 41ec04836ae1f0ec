package rows

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"matriq/bench/measure"
	"matriq/bench/peer"
	"matriq/bench/procfs"
)

func millions() Row {
	return Row{
		Name: "million", Title: "A million eligible, a million students",
		About: "Journeys by REST, 64 at once, with few listed and few registered, and then once more with a million of each: " +
			"students, enrolments, and the three closed casts that each has left. The two follow each other: a million is not " +
			"made in every round. What the servers put off while a million was made, they do in between.",
		Slow:    true,
		Measure: measureMillions,
	}
}

func measureMillions(ctx context.Context, b Bench, tell func(measure.Result)) error {
	b.Plan.Length *= journeyLength
	people := int((float64(b.Plan.Rounds+b.Plan.Repeats)*b.Plan.Length.Seconds() + b.Plan.WarmUp.Seconds()) * 600)
	w, err := newWorld(ctx, b, 2000+people)
	if err != nil {
		return err
	}
	few, err := b.Plan.Measure(ctx, measure.Case{Name: "few", Contenders: []measure.Contender{w.registering("few", peer.PlanREST, 64)}})
	if err != nil {
		return err
	}
	tell(few)
	crowd := million
	if b.Quick {
		crowd = 1000
	}
	b.Plan.Say(fmt.Sprintf("making %d of each", crowd))
	if err := w.fill(ctx, crowd); err != nil {
		return err
	}
	if err := w.list(ctx, 2*million, crowd); err != nil {
		return err
	}
	if err := w.invite(ctx, million, 2000+people); err != nil {
		return err
	}
	b.Plan.Say("the servers write what was made")
	if err := w.calm(ctx, b.Stand.Names()); err != nil {
		return err
	}
	many, err := b.Plan.Measure(ctx, measure.Case{
		Name: fmt.Sprintf("%d of each", crowd), Contenders: []measure.Contender{w.registering("many", peer.PlanREST, 64)},
		Targets: []measure.Target{dearer(few)},
	})
	if err != nil {
		return err
	}
	tell(many)
	return nil
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

// dearer compares with an earlier result.
func dearer(few measure.Result) measure.Target {
	return measure.Target{
		What: "CPU served of a journey among many in parts of one among few", AtMost: true, Bound: 110, Unit: "%",
		Of: func(r *measure.Result) []float64 {
			before, okFew := few.Figure("few", measure.Served)
			after, okMany := r.Figure("many", measure.Served)
			if !okFew || !okMany {
				return nil
			}
			return []float64{100 * after.Median / before.Median}
		},
	}
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
