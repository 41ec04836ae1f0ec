package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail"
)

// SMTP is a [Sender] to one mail server. It keeps connections open between
// mails, since a greeting, a handshake and a login cost more than a mail. An
// attempt ends with its context, at whatever step it is.
type SMTP struct {
	from *netmail.Address
	pool *pool
	used atomic.Int64 // when the server last answered well, in Unix seconds
}

// probeAfter is how old an answer of the mail server may be for [SMTP.Ready] to
// rely on it.
const probeAfter = time.Minute

// NewSMTP returns a sender. It does not connect; the error is about the
// settings.
func NewSMTP(cfg Config) (*SMTP, error) {
	server, err := parseServer(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL %w", err)
	}
	from, err := cfg.from()
	if err != nil {
		return nil, fmt.Errorf("MAIL_FROM %w", err)
	}
	return &SMTP{from: from, pool: newPool(cfg.Connections, cfg.Idle, server.dial)}, nil
}

// Send implements [Sender].
func (s *SMTP) Send(ctx context.Context, m Mail) error {
	text, err := s.text(m)
	if err != nil {
		return err
	}
	p := parcel{from: s.from.Address, to: m.To, text: text, expires: m.Expires}
	if err := s.pool.lend(ctx, func(l *link) error { return l.send(ctx, p) }); err != nil {
		return fmt.Errorf("hand over a mail: %w", err)
	}
	s.used.Store(time.Now().Unix())
	return nil
}

// Ready implements [Sender]. An answer of the last minute will do; else it asks.
func (s *SMTP) Ready(ctx context.Context) error {
	if time.Since(time.Unix(s.used.Load(), 0)) < probeAfter {
		return nil
	}
	if err := s.pool.lend(ctx, func(l *link) error { return l.check(ctx) }); err != nil {
		return err
	}
	s.used.Store(time.Now().Unix())
	return nil
}

// Close closes the connections that are idle; the others close after their
// mail.
func (s *SMTP) Close() { s.pool.close() }

// text writes m as it follows DATA: it is whole before the conversation begins, so
// that no connection waits for it.
func (s *SMTP) text(m Mail) ([]byte, error) {
	message, err := s.message(m)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Grow(roomFor(m))
	if _, err := message.WriteTo(&text); err != nil {
		return nil, fmt.Errorf("write the mail: %w", err)
	}
	return endWithDot(text.Bytes()), nil
}

// roomFor is about what m takes as quoted-printable, three bytes for one, with its
// header.
func roomFor(m Mail) int { return 2048 + 3*(len(m.Text)+len(m.HTML)) }

// endWithDot marks the end of a text whose lines all end in CRLF, and doubles the
// dots that would be taken for it.
func endWithDot(text []byte) []byte {
	if bytes.Contains(text, []byte("\r\n.")) {
		text = bytes.ReplaceAll(text, []byte("\r\n."), []byte("\r\n.."))
	}
	return append(text, ".\r\n"...)
}

// message makes m of multipart text and HTML.
func (s *SMTP) message(m Mail) (*mail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	message.FromMailAddress(s.from)
	if err := message.To(m.To); err != nil {
		return nil, errors.Join(ErrUnsafe, err)
	}
	message.SetDate()
	message.SetMessageIDWithValue(m.MessageID)
	message.Subject(m.Subject)
	message.SetGenHeader(mail.HeaderContentLang, m.Language)
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	message.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return message, nil
}
