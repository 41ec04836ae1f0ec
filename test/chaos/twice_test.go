package chaos_test

import (
	"os"
	"strings"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// checkTwice fails the test for each mail that came more than once, unless each
// worker that brought it before died before it had noted it: the window between
// the 250 of SMTP and the note. It returns how many came again.
func checkTwice(t *testing.T, mail *mailRoom, workers []*replica) (again int) {
	t.Helper()
	lives := livesByServer(workers)
	brought := map[string][]mailsink.Message{} // by Message-ID, the newest first
	for _, m := range mail.Messages("") {
		id := m.Header.Get("Message-Id")
		brought[id] = append(brought[id], m)
	}
	for id, mails := range brought {
		for _, before := range mails[1:] {
			again++
			life := lives[before.Local]
			if !life.diedBefore(t, id) {
				t.Errorf("mail %s to %s came %d times, and %s, which brought it at %v, had noted it or lives",
					id, before.To, len(mails), life.Name, before.ReceivedAt)
			}
		}
	}
	return again
}

// life is one of a mail worker.
type life struct {
	*harness.Process
	current bool
}

// livesByServer finds a life by the address of the mail server that it had.
func livesByServer(workers []*replica) map[string]life {
	found := map[string]life{}
	for _, r := range workers {
		for i, p := range r.lives {
			found[r.mailServers[i]] = life{p, i == len(r.lives)-1}
		}
	}
	return found
}

// diedBefore tells whether the worker was killed before it logged that the mail
// was sent, which it does right after the note.
func (l life) diedBefore(t *testing.T, messageID string) bool {
	t.Helper()
	log, err := os.ReadFile(l.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(strings.Trim(messageID, "<>"), "@")
	return !l.current && !strings.Contains(string(log), `"mail":"`+id+`"`)
}
