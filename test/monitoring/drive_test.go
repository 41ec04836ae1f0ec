package monitoring_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// startSuite starts the suite as the stack has it: the mail worker once for codes
// and once for confirmations.
func startSuite(t *testing.T) *harness.Suite {
	t.Helper()
	s := harness.Plan{
		Each: 1, Replicas: map[string]int{"email": 2},
		Settings: map[string]string{"ALLOWED_HOSTS": "127.0.0.1"}, // the edge's port is known later
	}.Start(t)
	for _, lane := range []string{"otp", "confirm"} {
		s.Set("EMAIL_LANE", lane)
		s.Replace(t, "email", 0) // the new one goes to the end
	}
	return s
}

// drive makes everything happen that the dashboards count: people register, by
// REST and on the pages; some of it is refused; and something is broken. It all
// happens twice, before and after a scrape, because Prometheus sees only what
// rises between two.
func drive(t *testing.T, s *harness.Suite, e edges, p *prometheus) {
	t.Helper()
	for _, round := range []string{"first", "second"} {
		people := crowd(round)
		importWithBadRow(t, s.Gateways(), people)
		register(t, s, people["rest"])
		visitPages(t, s, e, people["pages"])
		refuse(t, s, people["twice"])
		tryMailAgain(t, s, people["again"])
		refuseMail(t, s, people["refused"])
		p.eventually(t, "the "+round+" round is scraped", func(ctx context.Context) error {
			return p.answered(ctx, scraped[round])
		})
	}
	breakStudent(t, s, e, crowd("second")["broken"])
}

// scraped has what is true once a round was scraped to its end, by which the
// first confirmation comes last. The edge is scraped by itself, and in the second
// round it has been seen to count.
var scraped = map[string]string{
	"first":  `sum(matriq_outbox_done_seconds_count{target="email.send"}) >= 2 and sum(caddy_http_requests_total{handler="headers"}) > 0`,
	"second": `sum(matriq_outbox_done_seconds_count{target="email.send"}) >= 4 and sum(rate(caddy_http_requests_total{handler="headers"}[5s])) > 0`,
}

// crowd is who comes in a round, and what for.
func crowd(round string) map[string]string {
	people := map[string]string{}
	for _, who := range []string{"rest", "pages", "twice", "again", "refused", "broken"} {
		people[who] = who + "." + round + "@example.ac.th"
	}
	return people
}

func importWithBadRow(t *testing.T, g harness.Gateways, people map[string]string) {
	t.Helper()
	list := append(slices.Collect(maps.Values(people)), "no address")
	var report restapi.ImportReply
	g.PostJSON(t, g.OTP+restapi.PathImport, restapi.ImportRequest{Emails: list}).Into(t, &report)
	if report.Added != len(people) || len(report.Rejected) != 1 {
		t.Fatalf("import: %+v", report)
	}
}

func register(t *testing.T, s *harness.Suite, who string) {
	t.Helper()
	g := s.Gateways()
	g.Prove(t, who, s.Code(t, who, g.AskCode(t, who)))
	id := g.RegisterStudent(t, "Malee", "Jaidee", who)
	g.WaitProgress(t, id)
}

func visitPages(t *testing.T, s *harness.Suite, e edges, who string) {
	t.Helper()
	page := harness.NewPerson(t, "http://"+e.visited.Pages, "en").Open(t, "/").Submit(t, map[string]string{"email": who})
	page = page.Submit(t, map[string]string{"otp": s.Code(t, who, "")})
	page.Submit(t, map[string]string{"firstname": "Malee", "lastname": "Jaidee"}).Has(t, "/done", "Malee")
}

// refuse asks again too soon, and guesses a code.
func refuse(t *testing.T, s *harness.Suite, who string) {
	t.Helper()
	g := s.Gateways()
	g.AskCode(t, who)
	if a := g.PostJSON(t, g.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: who}); a.Status != http.StatusTooManyRequests {
		t.Fatalf("asked twice: %d %s", a.Status, a.Body)
	}
	var reply restapi.AuthenReply
	g.PostJSON(t, g.OTP+restapi.PathAuthen, restapi.AuthenRequest{Email: who, OTP: wrong(s.Code(t, who, ""))}).Into(t, &reply)
	if reply.Results != 0 {
		t.Fatalf("a wrong code is right: %+v", reply)
	}
}

// wrong is another code.
func wrong(code string) string {
	return strings.Map(func(digit rune) rune { return '0' + (digit-'0'+1)%10 }, code)
}

// tryMailAgain has the relay put one mail off; it comes all the same.
func tryMailAgain(t *testing.T, s *harness.Suite, who string) {
	t.Helper()
	s.Mail.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 451, Text: "later", To: who, Times: 1})
	s.Code(t, who, s.Gateways().AskCode(t, who))
}

// refuseMail has the relay refuse a mail for good, so that its cast is parked.
func refuseMail(t *testing.T, s *harness.Suite, who string) {
	t.Helper()
	s.Mail.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 550, Text: "no such user", To: who, Times: 1})
	s.Gateways().AskCode(t, who)
}

// breakStudent has somebody register while no replica of student runs.
func breakStudent(t *testing.T, s *harness.Suite, e edges, who string) {
	t.Helper()
	g := s.Gateways()
	g.Prove(t, who, s.Code(t, who, g.AskCode(t, who)))
	s.Replicas("student")[0].Kill()
	g.Register = "http://" + e.visited.Register
	a := g.PostJSON(t, g.RegisterURL(), restapi.RegisterRequest{Firstname: "Malee", Lastname: "Jaidee", Email: who})
	if a.Status < http.StatusInternalServerError {
		t.Fatalf("registered without student: %d %s", a.Status, a.Body)
	}
}
