package security_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// campusSize is how many people are behind the one address; SECURITY_CAMPUS says
// another number.
func campusSize(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SECURITY_CAMPUS") //nolint:forbidigo // a test has no service.Env
	if text == "" {
		return 5000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SECURITY_CAMPUS is %q, want a number", text)
	}
	return n
}

// Threat: the limit by source keeps out a campus whose people share one address.
// Promise: those that SOURCE_ALLOW names all finish, with their typing errors,
// while a source beside them is still limited.
func TestCampus_BehindOneAddress(t *testing.T) {
	t.Parallel()
	s := startSystem(t, map[string]string{"SOURCE_ALLOW": "127.77.0.0/16"})
	people := campusSize(t)
	emails := make([]string, people)
	for i := range emails {
		emails[i] = s.address()
	}
	for begin := 0; begin < people; begin += 100 {
		s.Gateways().Import(t, emails[begin:min(begin+100, people)]...)
	}
	mails := watchMails(t, s)
	var going errgroup.Group
	going.SetLimit(24)
	begin := time.Now()
	for i, email := range emails {
		going.Go(func() error { return s.clientFrom("127.77.1.1").walk(t.Context(), mails, email, i%10 == 0) })
	}
	if err := going.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d people behind one address registered in %v", people, time.Since(begin).Round(time.Second))

	beside := s.client()
	for range sourceLimit {
		beside.mustAsk(t, s.address())
	}
	refused(t, beside.ask(t, s.address()), "source_limit", sourceWindow)
}

// walk registers somebody; with a typing error at first.
func (c client) walk(ctx context.Context, mails *mailbox, email string, mistyped bool) error {
	var asked restapi.GetOTPReply
	if err := c.call(ctx, c.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: email}, &asked); err != nil {
		return err
	}
	code, err := mails.code(ctx, email, asked.Ref)
	if err != nil {
		return err
	}
	if mistyped {
		if reply, err := c.decide(ctx, email, wrong(code)); err != nil || reply.Results != 0 {
			return fmt.Errorf("%s: wrong code: %+v, %w", email, reply, err)
		}
	}
	if reply, err := c.decide(ctx, email, code); err != nil || reply.Results != 1 {
		return fmt.Errorf("%s: right code: %+v, %w", email, reply, err)
	}
	var registered restapi.RegisterReply
	request := restapi.RegisterRequest{Firstname: "Malee", Lastname: "Jaidee", Email: email}
	return c.call(ctx, c.Register+restapi.PathRegister, request, &registered)
}

// mailbox hands each mail to whoever waits for it: the sink's own Wait looks at
// all mails for everybody.
type mailbox struct {
	mu    sync.Mutex
	boxes map[string]chan mailsink.Message
}

func (m *mailbox) of(email string) chan mailsink.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes[email] == nil {
		m.boxes[email] = make(chan mailsink.Message, 32)
	}
	return m.boxes[email]
}

// watchMails sorts the mails that arrive from now on until the test ends.
func watchMails(t *testing.T, s *system) *mailbox {
	t.Helper()
	m := &mailbox{boxes: map[string]chan mailsink.Message{}}
	before := s.Mail.Count()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		_, _ = s.Mail.Wait(ctx, func(mail mailsink.Message) bool { // sees each mail once, and is content with none
			if mail.ID > before {
				m.of(mail.To) <- mail
			}
			return false
		})
	})
	t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	return m
}

const mailPatience = time.Minute

// code waits for the code with the reference.
func (m *mailbox) code(ctx context.Context, email, ref string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, mailPatience)
	defer cancel()
	for {
		select {
		case mail := <-m.of(email):
			if code := harness.FindCode(mail); code != "" && strings.Contains(mail.Text, ref) {
				return code, nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("no code with reference %s for %s within %v", ref, email, mailPatience)
		}
	}
}
