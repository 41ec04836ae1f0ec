package mailsink_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"matriq/pkg/mailsink"
)

// serve runs sink on loopback for the test and returns its address.
func serve(t *testing.T, sink *mailsink.Sink) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- sink.ServeSMTP(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("ServeSMTP = %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) *smtp.Client {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// plain is a mail of one part.
func plain(subject, text string) string {
	return "From: a@x.th\r\nSubject: " + subject + "\r\nContent-Language: en\r\n\r\n" + text + "\r\n"
}

func send(t *testing.T, c *smtp.Client, to, raw string) {
	t.Helper()
	if err := c.SendMail("from@x.th", []string{to}, strings.NewReader(raw)); err != nil {
		t.Fatalf("send to %s: %v", to, err)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	c := dial(t, serve(t, sink))
	send(t, c, "a@x.th", plain("one", "first"))
	send(t, c, "b@x.th", plain("two", "second"))
	send(t, c, "A@X.th", plain("three", "third"))

	got := sink.Messages("a@x.TH")
	if len(got) != 2 || got[0].Subject != "three" || got[1].Subject != "one" {
		t.Fatalf("Messages = %+v, want three and one", got)
	}
	m := got[1]
	if m.Text != "first\n" || m.Lang != "en" || m.To != "a@x.th" || m.From != "from@x.th" || m.TLS || m.User != "" {
		t.Errorf("Message = %+v", m)
	}
	if all := sink.Messages(""); len(all) != 3 || sink.Count() != 3 || sink.Connections() != 1 || sink.Open() != 1 {
		t.Errorf("%d messages, count %d, %d connections, %d open", len(all), sink.Count(), sink.Connections(), sink.Open())
	}
	if _, ok := sink.Message(4); ok {
		t.Error("a message 4 is there, want three")
	}
}

func TestMessages_bounded(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{Keep: 2, KeepBytes: 2000})
	c := dial(t, serve(t, sink))
	for _, subject := range []string{"one", "two", "three"} {
		send(t, c, "a@x.th", plain(subject, "x"))
	}
	if got := sink.Messages(""); len(got) != 2 || got[1].Subject != "two" {
		t.Errorf("%d messages are kept, want the newest two", len(got))
	}
	if _, ok := sink.Message(1); ok {
		t.Error("message 1 is still there")
	}
	if m, ok := sink.Message(2); !ok || m.Subject != "two" {
		t.Errorf("Message(2) = %q, %v", m.Subject, ok)
	}
	send(t, c, "a@x.th", plain("big", strings.Repeat("x", 1990)))
	if got := sink.Messages(""); len(got) != 1 || got[0].Subject != "big" || sink.Count() != 4 {
		t.Errorf("%d messages are kept, want the big one alone", len(got))
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	addr := serve(t, sink)
	found := make(chan mailsink.Message, 1)
	go func() {
		m, err := sink.Wait(soon(t), func(m mailsink.Message) bool { return m.Subject == "two" })
		if err != nil {
			t.Error(err)
		}
		found <- m
	}()
	c := dial(t, addr)
	send(t, c, "a@x.th", plain("one", "x"))
	send(t, c, "b@x.th", plain("two", "x"))
	if m := <-found; m.To != "b@x.th" {
		t.Errorf("Wait = %+v", m)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sink.Wait(ended, func(m mailsink.Message) bool { return m.Subject == "three" }); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want context.Canceled", err)
	}
}

func TestServeSMTP_login(t *testing.T) {
	t.Parallel()
	cert, ca, err := mailsink.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	sink := mailsink.New(mailsink.Options{Certificate: &cert, Username: "u", Password: "p"})
	addr := serve(t, sink)

	if err := dial(t, addr).Auth(sasl.NewPlainClient("", "u", "p")); smtpCode(err) != 523 {
		t.Errorf("login without TLS = %v, want 523", err)
	}
	for name, auth := range map[string]struct {
		client sasl.Client
		code   int
	}{
		"plain":          {sasl.NewPlainClient("", "u", "p"), 0},
		"login":          {sasl.NewLoginClient("u", "p"), 0},
		"wrong password": {sasl.NewLoginClient("u", "q"), 535},
		"wrong name":     {sasl.NewPlainClient("", "v", "p"), 535},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := smtp.DialStartTLS(addr, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			if err := c.Mail("a@x.th", nil); smtpCode(err) != 530 {
				t.Errorf("mail before login = %v, want 530", err)
			}
			if err := c.Auth(auth.client); smtpCode(err) != auth.code {
				t.Fatalf("login = %v, want %d", err, auth.code)
			}
			if auth.code != 0 {
				return
			}
			to := name + "@x.th"
			send(t, c, to, plain("s", "x"))
			if m := sink.Messages(to); len(m) != 1 || !m[0].TLS || m[0].User != "u" {
				t.Errorf("Messages = %+v", m)
			}
		})
	}
}

func smtpCode(err error) int {
	if e, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return e.Code
	}
	return 0
}

// A sink on two addresses tells which of them a mail came to.
func TestServeSMTP_twoListeners(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	for _, to := range []string{"a@x.th", "b@x.th"} {
		addr := serve(t, sink)
		send(t, dial(t, addr), to, plain("one", "text"))
		if got := sink.Messages(to); len(got) != 1 || got[0].Local != addr {
			t.Errorf("mails to %s = %+v, want one that came to %s", to, got, addr)
		}
	}
}

// A mail under way is taken to its end when the server stops.
func TestServeSMTP_stop(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- sink.ServeSMTP(ctx, l) }()
	quiet, busy := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	if err := quiet.Noop(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(busy.Mail("a@x.th", nil), busy.Rcpt("b@x.th", nil)); err != nil {
		t.Fatal(err)
	}
	w, err := busy.Data()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for limit := soon(t); quiet.Noop() == nil; {
		if limit.Err() != nil {
			t.Fatal("an idle connection outlived the server")
		}
	}
	if _, err := io.WriteString(w, plain("late", "x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("the mail under way got %v, want 250", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("ServeSMTP = %v, want nil", err)
	}
	if sink.Count() != 1 {
		t.Errorf("%d mails are there, want 1", sink.Count())
	}
}

// get returns the answer of the inbox.
func get(t *testing.T, sink *mailsink.Sink, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	sink.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", target, nil))
	return w
}

// soon ends a wait that would otherwise hang the test.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
