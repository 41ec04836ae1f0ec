package swarm_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"matriq/test/swarm/load"
)

// restores does with deploy/restore what the page only tells of.
func (o *operator) restores(t *testing.T) {
	t.Helper()
	t.Run("student alone: what was open is done", o.restoreStudent)
	t.Run("enroll alone: who registered since is enrolled again", o.restoreEnroll)
	t.Run("a damaged backup changes nothing", o.restoreDamaged)
	t.Run("nobody is lost without --yes, and may come again after it", o.restoreOlder)
}

// backup saves the databases in a folder of its own.
func (o *operator) backup(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	o.script(t, "backup", folder)
	return folder
}

// restoreStudent: in the backup a student is not enrolled yet, because enroll did
// not run; then she was. Her cast is sent again, and enrols her no second time.
func (o *operator) restoreStudent(t *testing.T) {
	o.scaleEnroll(t, 0)
	before := o.crowd.Told()
	run := load.Start(t.Context(), o.site, o.crowd, load.Plan{})
	defer run.Stop()
	person := run.Visitor()
	if err := person.AskCode(t.Context()); err != nil {
		t.Fatalf("asks for a code: %v", err)
	}
	finished := make(chan error, 1)
	go func() { finished <- person.Finish(t.Context()) }()
	o.wait(t, "her student ID", func(context.Context) bool { return len(o.crowd.Told()) > len(before) }, func() string { return "" })
	folder := o.backup(t)
	open := "SELECT COUNT(*) FROM student.outbox WHERE target = 'enroll.insert' AND next_at IS NOT NULL"
	if !o.rows(t, "student-db", open)["1"] {
		t.Error("nothing is open in the backup: it shows nothing")
	}
	o.scaleEnroll(t, 2)
	if err := <-finished; err != nil {
		t.Fatalf("registers: %v", err)
	}
	o.script(t, "restore", "--only", "student", folder)
	o.settle(t)
	o.checkTold(t, nil)
}

func (o *operator) scaleEnroll(t *testing.T, replicas int) {
	t.Helper()
	o.docker(t, "service", "scale", "--detach", fmt.Sprintf("%s=%d", o.service("enroll"), replicas))
	o.settle(t)
}

// restoreEnroll: the enrolments of the backup are older than the last students,
// and student has swept what it knew of their casts.
func (o *operator) restoreEnroll(t *testing.T) {
	folder := o.backup(t)
	o.register(t, 2)
	o.rows(t, "student-db", "DELETE FROM student.outbox WHERE closed_at IS NOT NULL")
	o.script(t, "restore", "--only", "enroll", "--yes", folder)
	o.settle(t)
	o.checkTold(t, nil)
}

// restoreDamaged: one bit of the dump is another.
func (o *operator) restoreDamaged(t *testing.T) {
	folder := o.backup(t)
	dumps, err := filepath.Glob(filepath.Join(folder, "*", "student.sql.gz"))
	if err != nil || len(dumps) != 1 {
		t.Fatalf("dumps %v, %v", dumps, err)
	}
	dump, err := os.ReadFile(dumps[0])
	if err != nil {
		t.Fatal(err)
	}
	dump[len(dump)/2] ^= 1
	write(t, dumps[0], dump)
	o.refused(t, "deploy/restore --yes "+folder, "is damaged")
}

// restoreOlder: a student is not in the backup. If that is wanted, she may come
// again, and gets another ID.
func (o *operator) restoreOlder(t *testing.T) {
	folder := o.backup(t)
	before := o.crowd.Told()
	o.register(t, 1)
	o.refused(t, "deploy/restore "+folder, "would be lost")
	o.script(t, "restore", "--yes", folder)
	o.settle(t)
	for id, person := range o.crowd.Told() {
		if _, ok := before[id]; ok {
			continue
		}
		if o.rows(t, "student-db", "SELECT id FROM student.students")[fmt.Sprint(id)] {
			t.Errorf("student %d is still there", id)
		}
		o.crowd.Forget(id)
		o.script(t, "matriq", "unlock", person.Email)                               // she had a code a moment ago,
		o.docker(t, "service", "update", "--detach", "--force", o.service("inbox")) // whose mail must not be found
		o.settle(t)
		o.register(t, 1)
		if told := o.crowd.Told(); len(told) != len(before)+1 || slices.Max(slices.Collect(maps.Keys(told))) <= id {
			t.Errorf("after %d, the IDs are %v", id, slices.Sorted(maps.Keys(told)))
		}
	}
}

// refused runs a command that must fail, say why, and change nothing.
func (o *operator) refused(t *testing.T, command, why string) {
	t.Helper()
	out, err := o.shell(t, command)
	if err == nil || !strings.Contains(out, why) {
		t.Errorf("%s: %v, want it to fail and to say %q\n%s", command, err, why, out)
	}
	o.settle(t)
	o.checkTold(t, nil)
}
