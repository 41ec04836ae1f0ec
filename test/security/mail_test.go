package security_test

import (
	"strings"
	"testing"
	"time"

	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// TestMail_ServersThatRefuse has a mail server that says no in every way. Codes
// live 10 s here instead of 10 min, and an attempt may take 5 s, so that all ends
// within a minute; pauses between attempts are the shipped ones: 1 s, 5 s, 30 s …
func TestMail_ServersThatRefuse(t *testing.T) {
	t.Parallel()
	s := startPlan(t, harness.Plan{Each: 1, Settings: map[string]string{
		"OTP_TTL": "10s", "OTP_RESEND_AFTER": "1s", "MAIL_TIMEOUT": "5s",
	}})
	for _, trial := range []trial{ //nolint:paralleltest // one mail server, whose faults are each trial's own
		{"Greylisting", greylisting},
		{"TemporaryAtAnyStep", temporaryAtAnyStep},
		{"Hanging", hangingRelay},
		{"CodeThatDies", codeThatDies},
		{"RefusedForGood", refusedForGood},
	} {
		t.Run(trial.name, func(t *testing.T) { trial.run(t, s) })
	}
}

// Threat: a mail server that turns the first attempt away, as greylisting does,
// costs people their codes. Promise: a 4xx is tried again while the code lives.
func greylisting(t *testing.T, s *system) {
	var emails []string
	for range 5 {
		email := s.listed(t)
		t.Cleanup(s.Mail.Inject(mailsink.Fault{
			Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 450, Text: "greylisted, try again", To: email, Times: 1,
		}))
		emails = append(emails, email)
	}
	for _, email := range emails {
		c := s.client()
		begin := time.Now()
		code := s.codeFor(t, c, email)
		if waited := time.Since(begin); waited < 900*time.Millisecond {
			t.Errorf("the mail came after %v: it was not turned away", waited)
		}
		if !c.guess(t, email, code) {
			t.Errorf("the code of the second attempt is refused")
		}
	}
}

// The same at every step of the conversation, and for a connection that is cut.
func temporaryAtAnyStep(t *testing.T, s *system) {
	for name, fault := range map[string]mailsink.Fault{
		"421 to MAIL": {Stage: mailsink.StageMail, Action: mailsink.Refuse, Code: 421},
		"452 to RCPT": {Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 452},
		"451 to DATA": {Stage: mailsink.StageData, Action: mailsink.Refuse, Code: 451},
		"cut at MAIL": {Stage: mailsink.StageMail, Action: mailsink.Cut},
		"cut at DATA": {Stage: mailsink.StageData, Action: mailsink.Cut},
	} {
		fault.Times = 1
		remove := s.Mail.Inject(fault)
		email, c := s.listed(t), s.client()
		if !c.guess(t, email, s.codeFor(t, c, email)) {
			t.Errorf("%s: the code is refused", name)
		}
		remove()
	}
}

// Threat: a mail server that hangs at one mail holds up everybody's. Promise: an
// attempt ends in time, others go on beside it, and the mail comes by the next
// attempt.
func hangingRelay(t *testing.T, s *system) {
	slow, quick := s.listed(t), s.listed(t)
	hangs := make(chan struct{}, 1)
	t.Cleanup(s.Mail.Inject(mailsink.Fault{
		Stage: mailsink.StageRcpt, Action: mailsink.Hang, To: slow, Times: 1, On: func() { hangs <- struct{}{} },
	}))
	c := s.client()
	ref := c.mustAsk(t, slow).Ref
	<-hangs
	begin := time.Now()
	s.codeFor(t, s.client(), quick)
	if waited := time.Since(begin); waited > 4*time.Second {
		t.Errorf("beside a mail that hangs another takes %v", waited)
	}
	if !c.guess(t, slow, s.Code(t, slow, ref)) {
		t.Error("the code that hung is refused")
	}
}

// Threat: a code that nobody can use any more is mailed, and its owner types it in
// vain. Promise: no code is mailed after it died; the worker drops it and counts
// it.
func codeThatDies(t *testing.T, s *system) {
	email, c := s.listed(t), s.client()
	remove := s.Mail.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 450, To: email})
	asked := c.mustAsk(t, email)
	dies := time.Now().Add(time.Duration(asked.ExpiresIn+1) * time.Second) // whole seconds, rounded down
	dropped := s.droppedCodes(t)
	eventually(t, "the code is dead", 20*time.Second, func() bool { return time.Now().After(dies) })
	remove()
	// The third attempt is due 6 s, the fourth 36 s after the first.
	eventually(t, "no code waits for an attempt", time.Minute, func() bool { return s.waiting(t, codeQueues()) == 0 })
	if mails := s.Mail.Messages(email); len(mails) != 0 {
		t.Errorf("a dead code was mailed at %v, %v after its end", mails[0].ReceivedAt, mails[0].ReceivedAt.Sub(dies))
	}
	if s.droppedCodes(t) == dropped {
		t.Error("the dead code is not counted")
	}
	if !c.guess(t, email, s.codeFor(t, c, email)) {
		t.Error("the next code is refused")
	}
}

// droppedCodes counts the mails with codes that were given up because the code was
// dead.
func (s *system) droppedCodes(t *testing.T) float64 {
	t.Helper()
	return s.counter(t, "email", "matriq_mails_total", `lane="otp"`, `result="expired"`) +
		s.counter(t, "email", "matriq_rpc_expired_total")
}

// Threat: a mail server that refuses a confirmation for good makes it vanish.
// Promise: the person is registered and sees that the mail is still on its way;
// the operator finds it parked with the server's answer, and gives it back once
// the server has been mended; then it goes out once.
func refusedForGood(t *testing.T, s *system) {
	email := s.listed(t)
	page := s.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": email})
	page.Has(t, "/authen", "a mail with a code is on its way")
	code := harness.FindCode(s.WaitMail(t, "code", func(m mailsink.Message) bool { return m.To == email }))
	page = page.Submit(t, map[string]string{"otp": code})
	remove := s.Mail.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 550, Text: "no such user", To: email})
	page = page.Submit(t, map[string]string{"firstname": "Malee", "lastname": "Jaidee"})
	page.Has(t, "/done", "You are registered", "Confirmation sent to "+email+" In progress")

	var said string
	eventually(t, "the confirmation is parked", 30*time.Second, func() bool {
		said, _ = harness.Run(t, "dlq", "--amqp", s.AMQPURL, "ls", "email")
		return strings.Contains(said, "mail_refused")
	})
	if strings.Contains(said, email) {
		t.Errorf("the list of what is parked tells the address:\n%s", said)
	}
	if refusals := s.counter(t, "email", "matriq_mails_total", `lane="confirm"`, `result="refused"`); refusals != 1 {
		t.Errorf("%v refusals are counted, want 1", refusals)
	}
	remove()
	if said, code := harness.Run(t, "dlq", "--amqp", s.AMQPURL, "replay", "email", "all"); code != 0 || !strings.Contains(said, "1 given back") {
		t.Fatalf("replay: exit code %d, %s", code, said)
	}
	eventually(t, "the page says that the mail is out", 30*time.Second, func() bool {
		return strings.Contains(page.Again(t).Text(), "Confirmation sent to "+email+" Done")
	})
	if mails := s.Mail.Messages(email); len(mails) != 2 {
		t.Errorf("%d mails, want the code and one confirmation", len(mails))
	}
}
