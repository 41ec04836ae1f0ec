package security_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// relay is a mail server that goes down and comes back at the same address.
type relay struct {
	sink *mailsink.Sink
	addr string
	stop func()
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	r := &relay{sink: mailsink.New(mailsink.Options{}), addr: freeAddr(t), stop: func() {}}
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *relay) up(t *testing.T) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.sink.ServeSMTP(ctx, l) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("mail server: %v", err)
		}
	})
}

// issued are the codes that were asked for, by address and reference, with the end
// of their lives, a little late.
type issued struct {
	mu   sync.Mutex
	dies map[string]time.Time
}

func (i *issued) note(email string, reply restapi.GetOTPReply) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dies[email+" "+reply.Ref] = time.Now().Add(time.Duration(reply.ExpiresIn+1) * time.Second) // whole seconds, rounded down
}

// Threat: after a failure of the mail server people get codes that have died, or
// no confirmation at all. Promise: no code is mailed after it died, whoever asked
// meanwhile gets another one, and all confirmations arrive, once.
//
// Instead of 10 minutes the server is down for as long as a code lives, which is
// 8 s here instead of 10 minutes, and two thirds more.
func TestMail_RelayDownUnderLoad(t *testing.T) {
	t.Parallel()
	const people, life = 50, 8 * time.Second
	r := newRelay(t)
	s := startPlan(t, harness.Plan{
		Replicas: map[string]int{"email": 2}, Each: 1,
		Settings: map[string]string{
			"SMTP_URL": "smtp://" + r.addr + "?tls=none", "MAIL_TIMEOUT": "2s", "SOURCE_LIMIT": "0",
			"OTP_TTL": life.String(), "OTP_RESEND_AFTER": "1s", "OTP_PER_HOUR": "100", "OTP_PER_DAY": "100",
		},
		Before: func() { r.up(t) },
	})
	s.Mail = r.sink
	mails, codes := watchMails(t, s), &issued{dies: map[string]time.Time{}}
	proved, late := crowd(t, s, people), crowd(t, s, people)
	all(t, proved, func(email string) error { return s.client().prove(t.Context(), mails, codes, email) })

	r.stop()
	down := time.Now()
	all(t, proved, func(email string) error { return s.client().giveNames(t.Context(), email) })
	var asking errgroup.Group
	for _, email := range late {
		asking.Go(func() error {
			c := s.client()
			return errors.Join(c.prove(t.Context(), mails, codes, email), c.giveNames(t.Context(), email))
		})
	}
	eventually(t, "the server was down for longer than a code lives", time.Minute, func() bool { return time.Since(down) > life*5/3 })
	s.operatorSees(t, people)
	r.up(t)
	if err := asking.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all confirmations are out", 90*time.Second, func() bool {
		return s.counter(t, "student", "matriq_outbox_open") == 0
	})
	eventually(t, "no code waits for an attempt", time.Minute, func() bool { return s.waiting(t, codeQueues()) == 0 })
	checkMails(t, r.sink, codes, append(proved, late...))
	if dropped := s.droppedCodes(t); dropped == 0 {
		t.Error("no code was dropped: the server was not down for long enough to tell anything")
	}
}

// operatorSees fails the test unless the metrics tell what is held up.
func (s *system) operatorSees(t *testing.T, people int) {
	t.Helper()
	eventually(t, "the metrics tell the lag", 10*time.Second, func() bool {
		return s.counter(t, "student", "matriq_outbox_open") >= float64(people) &&
			s.counter(t, "student", "matriq_outbox_oldest_open_seconds") >= 5 &&
			s.counter(t, "email", "matriq_mails_total", `lane="otp"`, `result="deferred"`) > 0 &&
			s.counter(t, "email", "matriq_mails_total", `lane="confirm"`, `result="deferred"`) > 0
	})
}

// crowd lists n people.
func crowd(t *testing.T, s *system, n int) []string {
	t.Helper()
	emails := make([]string, n)
	for i := range emails {
		emails[i] = s.address()
	}
	s.Gateways().Import(t, emails...)
	return emails
}

// all does the same for everybody, some at a time, and fails the test with the
// first error.
func all(t *testing.T, emails []string, do func(email string) error) {
	t.Helper()
	var going errgroup.Group
	going.SetLimit(16)
	for _, email := range emails {
		going.Go(func() error { return do(email) })
	}
	if err := going.Wait(); err != nil {
		t.Fatal(err)
	}
}

// prove asks for codes until one has come and was right.
func (c client) prove(ctx context.Context, mails *mailbox, codes *issued, email string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		var asked restapi.GetOTPReply
		if err := c.call(ctx, c.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: email}, &asked); err != nil {
			if strings.Contains(err.Error(), "resend_too_soon") {
				pause(ctx, time.Second)
				continue
			}
			return err
		}
		codes.note(email, asked)
		patience, stop := context.WithTimeout(ctx, time.Duration(asked.ExpiresIn)*time.Second)
		code, err := mails.code(patience, email, asked.Ref)
		stop()
		if err != nil {
			continue // it has died; the next one
		}
		if reply, err := c.decide(ctx, email, code); err != nil || reply.Results == 1 {
			return err
		}
	}
	return fmt.Errorf("%s has not proved the address: %w", email, ctx.Err())
}

func (c client) giveNames(ctx context.Context, email string) error {
	var reply restapi.RegisterReply
	request := restapi.RegisterRequest{Firstname: "Malee", Lastname: "Jaidee", Email: email}
	return c.call(ctx, c.Register+restapi.PathRegister, request, &reply)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// checkMails fails the test unless everybody has one confirmation, and no code
// that had died.
func checkMails(t *testing.T, sink *mailsink.Sink, codes *issued, emails []string) {
	t.Helper()
	for _, email := range emails {
		confirmations := 0
		for _, m := range sink.Messages(email) {
			if harness.FindCode(m) == "" {
				confirmations++
				continue
			}
			if !codes.alive(email, m) {
				t.Errorf("%s got a code that had died, or that was not asked for, at %v:\n%s", email, m.ReceivedAt, m.Text)
			}
		}
		if confirmations != 1 {
			t.Errorf("%s has %d confirmations, want 1", email, confirmations)
		}
	}
}

// alive tells whether the code in a mail had not died when the mail came.
func (i *issued) alive(email string, m mailsink.Message) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for asked, dies := range i.dies {
		who, ref, _ := strings.Cut(asked, " ")
		if who == email && strings.Contains(m.Text, ref) && m.ReceivedAt.Before(dies) {
			return true
		}
	}
	return false
}
