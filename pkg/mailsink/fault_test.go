package mailsink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"matriq/pkg/mailsink"
)

func TestInject_refuse(t *testing.T) {
	t.Parallel()
	for _, stage := range []mailsink.Stage{mailsink.StageMail, mailsink.StageRcpt, mailsink.StageData} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			sink := mailsink.New(mailsink.Options{})
			c := dial(t, serve(t, sink))
			sink.Inject(mailsink.Fault{Stage: stage, Action: mailsink.Refuse, Code: 451, Times: 1})
			err := c.SendMail("from@x.th", []string{"a@x.th"}, strings.NewReader(plain("s", "x")))
			if smtpCode(err) != 451 {
				t.Fatalf("first = %v, want 451", err)
			}
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			send(t, c, "a@x.th", plain("s", "x"))
			if sink.Count() != 1 {
				t.Errorf("%d mails are there, want 1", sink.Count())
			}
		})
	}
}

func TestInject_pattern(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	c := dial(t, serve(t, sink))
	remove := sink.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 550, To: "*@bad.th"})
	if err := c.Mail("from@x.th", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("A@BAD.th", nil); smtpCode(err) != 550 {
		t.Errorf("bad.th = %v, want 550", err)
	}
	if err := c.Rcpt("a@good.th", nil); err != nil {
		t.Errorf("good.th = %v", err)
	}
	remove()
	if err := c.Rcpt("a@bad.th", nil); err != nil {
		t.Errorf("bad.th after the fault = %v", err)
	}
}

// A hung command ends when the fault is removed, and its mail is not kept.
func TestInject_hang(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	c := dial(t, serve(t, sink))
	struck := make(chan struct{})
	remove := sink.Inject(mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.Hang, On: func() { close(struck) }})
	answered := make(chan error, 1)
	go func() { answered <- c.SendMail("from@x.th", []string{"a@x.th"}, strings.NewReader(plain("s", "x"))) }()
	<-struck
	select {
	case err := <-answered:
		t.Fatalf("SendMail = %v while it should hang", err)
	default:
	}
	remove()
	if err := <-answered; !isCut(err) {
		t.Errorf("SendMail = %v, want a closed connection", err)
	}
	if sink.Count() != 0 {
		t.Error("a mail that hung is kept")
	}
}

// A server that stops lets go of what hangs.
func TestInject_hangUntilStop(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context()) //nolint:gosec // the test ends it by cancel
	stopped := make(chan error, 1)
	go func() { stopped <- sink.ServeSMTP(ctx, l) }()
	sink.Inject(mailsink.Fault{Stage: mailsink.StageMail, Action: mailsink.Hang, On: cancel})
	if err := dial(t, l.Addr().String()).Mail("from@x.th", nil); !isCut(err) {
		t.Errorf("MAIL = %v, want a closed connection", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("ServeSMTP = %v, want nil", err)
	}
}

func TestInject_cut(t *testing.T) {
	t.Parallel()
	for action, want := range map[mailsink.Action]struct {
		answered bool
		kept     int64
	}{
		mailsink.Cut:          {false, 0},
		mailsink.KeepAndCut:   {false, 1},
		mailsink.AcceptAndCut: {true, 1},
	} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			sink := mailsink.New(mailsink.Options{})
			c := dial(t, serve(t, sink))
			sink.Inject(mailsink.Fault{Stage: mailsink.StageData, Action: action, Times: 1})
			err := c.SendMail("from@x.th", []string{"a@x.th"}, strings.NewReader(plain("s", "x")))
			if want.answered && err != nil || !want.answered && !isCut(err) {
				t.Errorf("SendMail = %v", err)
			}
			if err := c.Noop(); err == nil {
				t.Error("the connection is still open")
			}
			if sink.Count() != want.kept {
				t.Errorf("%d mails are kept, want %d", sink.Count(), want.kept)
			}
		})
	}
}

// isCut reports whether the connection ended without an answer.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || err != nil && strings.Contains(err.Error(), "connection reset")
}
