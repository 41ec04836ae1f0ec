package email_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"matriq/pkg/mailsink"
	"matriq/services/email"
)

// What a server is sent, and what becomes of a mail: the second of three is met by
// answers of all kinds, from a server that pipelines and from one that does not.
func TestSMTP_Send_conversation(t *testing.T) {
	t.Parallel()
	const (
		fresh = " connect EHLO MAIL RCPT DATA text"
		again = " RSET MAIL RCPT DATA text"
	)
	for name, c := range map[string]struct {
		answers  map[string]string
		sent     bool
		refused  bool
		groups   string // what comes for the second mail
		oneByOne string
		lost     bool // and the connection with it
	}{
		"sent":                    {sent: true, groups: again, oneByOne: again},
		"closed while idle":       {answers: map[string]string{"RSET": ""}, sent: true, groups: " RSET" + fresh, oneByOne: " RSET" + fresh},
		"421 while idle":          {answers: map[string]string{"RSET": "421 idle"}, sent: true, groups: " RSET MAIL RCPT DATA" + fresh, oneByOne: " RSET" + fresh},
		"no reset":                {answers: map[string]string{"RSET": "500 what"}, sent: true, groups: " RSET MAIL RCPT DATA" + fresh, oneByOne: " RSET" + fresh},
		"cut after an answer":     {answers: map[string]string{"MAIL": ""}, groups: " RSET MAIL", oneByOne: " RSET MAIL", lost: true},
		"sender refused":          {answers: map[string]string{"MAIL": "550 no", "RCPT": "503 no", "DATA": "503 no"}, refused: true, groups: " RSET MAIL RCPT DATA", oneByOne: " RSET MAIL"},
		"recipient refused":       {answers: map[string]string{"RCPT": "550 no", "DATA": "554 no"}, refused: true, groups: " RSET MAIL RCPT DATA", oneByOne: " RSET MAIL RCPT"},
		"refused, text awaited":   {answers: map[string]string{"RCPT": "550 no"}, refused: true, groups: " RSET MAIL RCPT DATA nothing", oneByOne: " RSET MAIL RCPT"},
		"greylisted":              {answers: map[string]string{"RCPT": "450 later", "nothing": "554 no"}, groups: " RSET MAIL RCPT DATA nothing", oneByOne: " RSET MAIL RCPT"},
		"421 to the recipient":    {answers: map[string]string{"RCPT": "421 bye"}, groups: " RSET MAIL RCPT DATA", oneByOne: " RSET MAIL RCPT", lost: true},
		"no text now":             {answers: map[string]string{"DATA": "451 later"}, groups: " RSET MAIL RCPT DATA", oneByOne: " RSET MAIL RCPT DATA"},
		"text refused":            {answers: map[string]string{"text": "554 spam"}, refused: true, groups: again, oneByOne: again},
		"cut after the text":      {answers: map[string]string{"text": ""}, groups: again, oneByOne: again, lost: true},
		"two words for one query": {answers: map[string]string{"RCPT": "250-so\r\n250 be it"}, sent: true, groups: again, oneByOne: again},
	} {
		for _, pipelines := range []bool{true, false} {
			want, kind := c.oneByOne, " one by one"
			if pipelines {
				want, kind = c.groups, " in groups"
			}
			third := again
			if c.lost {
				third = fresh
			}
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				s := &script{pipelines: pipelines}
				sender := newSMTP(t, config(s.serve(t)))
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := sender.Send(ctx, letter("a@x.th")); err != nil {
					t.Fatal(err)
				}
				s.will(maps.Clone(c.answers))
				err := sender.Send(ctx, letter("a@x.th"))
				if (err == nil) != c.sent || errors.Is(err, email.ErrRefused) != c.refused {
					t.Errorf("Send = %v, want sent %v, refused %v", err, c.sent, c.refused)
				}
				s.will(nil)
				if err := sender.Send(ctx, letter("a@x.th")); err != nil {
					t.Errorf("the third mail: %v", err)
				}
				if got := " " + s.told(); got != fresh+want+third {
					t.Errorf("the server was sent\n%s, want\n%s", got, fresh+want+third)
				}
			})
		}
	}
}

// A code that dies while the server makes up its mind is not sent, and no empty
// mail in its place.
func TestSMTP_Send_expiresMeanwhile(t *testing.T) {
	t.Parallel()
	for _, pipelines := range []bool{true, false} {
		s := &script{pipelines: pipelines}
		sender := newSMTP(t, config(s.serve(t)))
		m := letter("a@x.th")
		m.Expires = time.Now().Add(100 * time.Millisecond)
		dead, cancel := context.WithDeadline(t.Context(), m.Expires)
		defer cancel()
		s.hold("DATA", dead.Done())
		if err := sender.Send(t.Context(), m); !errors.Is(err, email.ErrExpired) {
			t.Errorf("Send = %v, want ErrExpired", err)
		}
		if err := sender.Send(t.Context(), letter("a@x.th")); err != nil {
			t.Error(err)
		}
		if got, want := s.told(), "connect EHLO MAIL RCPT DATA connect EHLO MAIL RCPT DATA text"; got != want {
			t.Errorf("the server was sent\n%s, want\n%s", got, want)
		}
	}
}

// A text longer than any buffer, with dots that need care.
func TestSMTP_Send_longText(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	m := letter("a@x.th")
	m.Text = strings.Repeat("..\n.\nยาว\n", 5000)
	if err := sender.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := sink.Messages("a@x.th")[0].Text; got != m.Text {
		t.Errorf("the text of %d bytes came as %d", len(m.Text), len(got))
	}
}
