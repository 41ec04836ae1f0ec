package chaos_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"matriq/test/harness"
)

// foil is the published system's way to register, in two replicas of each
// program.
type foil struct {
	servers realServers
	mail    *mailRoom
	victims []*victim
	addrs   []string // of the gateways
	db      *sql.DB
}

func foilRoles() []string { return []string{"gateway", "student", "enroll", "email"} }

func startFoil(t *testing.T) *foil {
	t.Helper()
	f := &foil{servers: startServers(t), mail: newMailRoom(t)}
	f.db = openDB(t, f.servers.maria.URL)
	server, err := f.mail.open()
	if err != nil {
		t.Fatal(err)
	}
	where := map[string]string{"student": f.servers.studentDSN(), "enroll": f.servers.enrollDSN(), "email": server}
	binary, logs := harness.Binary(t, "matriq/test/chaos/cmd/foil"), t.ArtifactDir()
	for _, role := range foilRoles() {
		for i := range replicasEach {
			at := where[role]
			if role == "gateway" {
				at = freeAddr(t)
				f.addrs = append(f.addrs, at)
			}
			r := &replica{
				kind: role, name: fmt.Sprintf("foil-%s-%d", role, i+1), binary: binary, logs: logs,
				args: []string{role, f.servers.broker.URL, at},
			}
			v := r.victim()
			if err := v.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.life().Kill() })
			f.victims = append(f.victims, v)
		}
	}
	f.victims = append(f.victims, serverVictim(kindBroker, f.servers.broker, brokerRest))
	return f
}

// deck is of the kind that the registration has, without the servers that the
// foil could not bear at all.
func (f *foil) deck() map[string]int {
	cards := map[string]int{kindBroker: 1}
	for _, role := range foilRoles() {
		cards[role] = 9
	}
	return cards
}

// settle waits until the queues are empty.
func (f *foil) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), foilSettle)
	defer cancel()
	said := ""
	err := harness.Poll(ctx, func() bool {
		var err error
		said, err = f.servers.broker.Control(ctx, "list_queues", "--no-table-headers", "name", "messages")
		return err == nil && strings.Contains(said, "rpc-enroll\t0") && strings.Contains(said, "rpc-email\t0") && strings.Contains(said, "rpc-student\t0")
	})
	if err != nil {
		t.Fatalf("the queues are not empty after %v:\n%s", foilSettle, said)
	}
}

// losses counts what is missing or too much.
func (f *foil) losses(t *testing.T, c *crowd) map[string]int {
	t.Helper()
	const without = `FROM student.students s LEFT JOIN enroll.enrolments e ON e.student_id = s.id WHERE e.id IS NULL`
	losses := map[string]int{
		lostEnrolments: f.count(t, `SELECT COUNT(*) `+without),
		doubleStudents: f.count(t, `SELECT COUNT(*) FROM (SELECT email FROM student.students GROUP BY email HAVING COUNT(*) > 1) d`),
		doubleEnrolled: f.count(t, `SELECT COUNT(*) FROM (SELECT student_id FROM enroll.enrolments GROUP BY student_id HAVING COUNT(*) > 1) d`),
		lostMails:      0, lostTold: 0,
	}
	each(t, f.db, `SELECT id, email FROM student.students`, func(scan func(...any) error) error {
		var id int64
		var email string
		err := scan(&id, &email)
		if !f.mailed(email, id) {
			losses[lostMails]++
		}
		return err
	})
	for _, id := range c.told {
		losses[lostTold] += f.count(t, `SELECT COUNT(*) `+without+` AND s.id = ?`, id)
	}
	return losses
}

func (f *foil) mailed(email string, id int64) bool {
	for _, m := range f.mail.Messages(email) {
		if strings.Contains(m.Text, harness.ID(id)+".") {
			return true
		}
	}
	return false
}

func (f *foil) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := f.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
