package chaos_test

import (
	"fmt"
	"testing"
	"time"
)

const (
	// foilTries is how many runs the foil gets to lose something.
	foilTries = 5
	// calmPeople register before anything is killed.
	calmPeople = 50
	foilPeople = 2000
	// foilArrival brings as many as the foil can take.
	foilArrival = 5 * time.Millisecond
	// foilSettle is how long the foil's queues may take to run empty.
	foilSettle = 60 * time.Second
)

// The published system's way, insert and then two calls without a reply from the
// gateway, does all that it should as long as nothing is killed, and loses
// enrolments when its processes and the broker are.
func TestFoil_Loses(t *testing.T) { //nolint:paralleltest // the machine is full
	total := map[string]int{}
	for range foilTries { //nolint:paralleltest // one after the other
		seed := seeds(t)[0]
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Logf("the seed is %d: run it again with CHAOS_SEED=%d", seed, seed)
			for what, n := range foilRun(t, seed) {
				total[what] += n
			}
		})
		if t.Failed() || total[lostEnrolments] > 0 {
			break
		}
	}
	if !t.Failed() && total[lostEnrolments] == 0 {
		t.Errorf("the foil lost no enrolment in %d runs: it shows nothing", foilTries)
	}
}

// What the foil loses or does twice.
const (
	lostEnrolments = "students without enrolment"
	lostMails      = "students without mail"
	lostTold       = "told, without enrolment"
	doubleStudents = "addresses with several student IDs"
	doubleEnrolled = "students enrolled several times"
)

// foilRun returns what the foil lost in one run.
func foilRun(t *testing.T, seed uint64) map[string]int {
	t.Helper()
	f := startFoil(t)
	client := newClient()
	to := gateways{register: f.addrs}
	come := func(i int) *person { return newPerson(to, f.mail, client, i) }

	f.settle(t) // its queues are there: what is sent to none is lost even without chaos
	calm := newCrowd(calmPeople, come)
	calm.come(t.Context(), foilArrival, (*person).giveNames)
	<-calm.done
	calm.check(t)
	f.settle(t)
	for what, n := range f.losses(t, calm) {
		if n != 0 {
			t.Fatalf("without chaos, %s: %d, want 0", what, n)
		}
	}
	f.servers.settle(t)

	crowd := newCrowd(foilPeople, func(i int) *person { return come(calmPeople + i) })
	k := newKiller(t, seed, f.deck(), f.victims)
	crowd.come(t.Context(), foilArrival, (*person).giveNames)
	k.rage(t.Context(), crowd.done)
	crowd.check(t)
	client.check(t)
	k.check(t)
	f.settle(t)
	losses := f.losses(t, crowd)
	t.Logf("kills: %s", tally(k.kills))
	t.Logf("answers: %s", tally(client.answers))
	t.Logf("of %d students: %s", f.count(t, `SELECT COUNT(*) FROM student.students`), tally(losses))
	return losses
}
