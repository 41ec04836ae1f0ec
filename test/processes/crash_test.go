package processes_test

import (
	"strings"
	"testing"

	"matriq/test/harness"
)

// A service that is killed right after its commit, before anybody was told,
// leaves one student, one enrolment and one confirmation once it runs again.
func TestCrash_AfterCommit(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"student", "enroll", "email"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, 1)
			g, who := s.Gateways(), service+".dies@example.ac.th"
			g.Import(t, who)
			g.Prove(t, who, s.Code(t, who, g.AskCode(t, who)))

			s.Use(service, "matriq/test/crash/cmd/"+service)
			victim := s.Replace(t, service, 0)
			registered := make(chan harness.Answer, 1)
			go func() {
				registered <- g.Post(t, g.RegisterURL(), "application/json",
					strings.NewReader(`{"firstname":"Malee","lastname":"Jaidee","email":"`+who+`"}`))
			}()
			select {
			case <-victim.Done():
			case <-t.Context().Done():
				t.Fatal("the service did not die")
			}
			s.Use(service, "")
			s.Replace(t, service, 0)

			first := <-registered
			id := g.RegisterStudent(t, "Malee", "Jaidee", who)
			if first.Status == 200 && !strings.Contains(string(first.Body), harness.ID(id)) {
				t.Errorf("first answer is %s, the repeat's student ID %d", first.Body, id)
			}
			s.WaitComplete(t, who, "Malee", "Jaidee")
		})
	}
}
