package email

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// link is one connection to the mail server, greeted and logged in.
type link struct {
	conn      net.Conn
	smtp      *smtp.Client
	pipelines bool        // the server takes commands in groups, RFC 2920
	rested    bool        // it has been idle: the server may have closed it
	broken    bool        // not fit for another mail
	expiry    *time.Timer // while it is idle
}

// dial opens a link.
func (s mailServer) dial(ctx context.Context) (*link, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn}
	done := l.guard(ctx)
	err = s.greet(ctx, l)
	done()
	if err != nil || l.broken {
		_ = l.conn.Close() // it may be closed already
		return nil, because(ctx, err)
	}
	return l, nil
}

// connectTimeout bounds the connecting alone: a machine without power, or a network
// that lets nothing through, is to cost a mail seconds.
const connectTimeout = 5 * time.Second

func (s mailServer) connect(ctx context.Context) (net.Conn, error) {
	addr := net.JoinHostPort(s.host, strconv.Itoa(s.port))
	dialer := &net.Dialer{Timeout: connectTimeout}
	if s.encryption == implicit {
		return (&tls.Dialer{NetDialer: dialer, Config: s.tls}).DialContext(ctx, "tcp", addr)
	}
	return dialer.DialContext(ctx, "tcp", addr)
}

// greet encrypts and logs in as SMTP_URL says. The library is handed the open
// connection, because it would not close its own after a failure.
func (s mailServer) greet(ctx context.Context, l *link) error {
	given := func(context.Context, string, string) (net.Conn, error) { return l.conn, nil }
	client, err := mail.NewClient(s.host, append(s.options(), mail.WithDialContextFunc(given))...)
	if err != nil {
		return fmt.Errorf("prepare a connection: %w", err)
	}
	if l.smtp, err = client.DialToSMTPClientWithContext(ctx); err != nil {
		return answered("greeting and login", err)
	}
	l.pipelines, _ = l.smtp.Extension("PIPELINING")
	return l.conn.SetDeadline(time.Time{}) // from here on the context decides
}

func (s mailServer) options() []mail.Option {
	policy := map[encryption]mail.TLSPolicy{
		plaintext: mail.NoTLS,
		startTLS:  mail.TLSMandatory,
		implicit:  mail.TLSOpportunistic, // it is encrypted already
	}
	options := []mail.Option{
		mail.WithPort(s.port),
		mail.WithTLSConfig(s.tls),
		mail.WithTLSPolicy(policy[s.encryption]),
		mail.WithoutSMTPUTF8(), // all addresses are ASCII
	}
	if s.user == "" {
		return options
	}
	method := mail.SMTPAuthAutoDiscover
	if s.encryption == plaintext { // to loopback alone
		method = mail.SMTPAuthPlainNoEnc
	}
	return append(options, mail.WithSMTPAuth(method), mail.WithUsername(s.user), mail.WithPassword(s.password))
}

// guard closes the connection when ctx ends, which ends whatever waits for the
// server. The caller calls done when it waits no longer.
func (l *link) guard(ctx context.Context) (done func()) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = l.conn.Close() // the waiting call reports that it is closed
		close(closed)
	})
	return func() {
		if !stop() {
			<-closed
			l.broken = true
		}
	}
}

// because adds the end of ctx to err, which it brought about.
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return err
	case err == nil:
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// quit says good-bye, when ctx leaves the time for it, and closes.
func (l *link) quit(ctx context.Context) {
	if !l.broken {
		done := l.guard(ctx)
		_ = l.smtp.Quit() // an answer would change nothing
		done()
	}
	_ = l.conn.Close()
}
