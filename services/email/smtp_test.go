package email_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"matriq/pkg/mailsink"
	"matriq/services/email"
)

// serve runs sink for the test and returns its address.
func serve(t *testing.T, sink *mailsink.Sink) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, sink, l)
	return l.Addr().String()
}

func serveOn(t *testing.T, sink *mailsink.Sink, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- sink.ServeSMTP(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("ServeSMTP = %v", err)
		}
	})
}

// config has settings for a mail server without TLS.
func config(addr string) email.Config {
	return email.Config{
		Rules: email.Rules{
			Lane: email.LaneAll, From: "Matriq <no-reply@matriq.example>", Language: "th", Timeout: 10 * time.Second,
			SiteNameTH: "ลงทะเบียน", SiteNameEN: "Registration",
		},
		SMTPConfig: email.SMTPConfig{URL: "smtp://" + addr + "?tls=none", Connections: 4, Idle: time.Minute},
	}
}

func newSMTP(t *testing.T, cfg email.Config) *email.SMTP {
	t.Helper()
	sender, err := email.NewSMTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	return sender
}

func letter(to string) email.Mail {
	return email.Mail{
		ID: "id", MessageID: "id@matriq.example", To: to, Language: "th",
		Content: email.Content{Subject: "รหัส ABC " + strings.Repeat("ยาว", 40), Text: "สวัสดี\n.\nบรรทัด\n", HTML: "<p>สวัสดี</p>"},
	}
}

func TestSMTP_Send(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	want := letter("A.b@x.th")
	if err := sender.Send(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	m := sink.Messages("a.b@x.th")[0]
	if m.Subject != want.Subject || m.Text != want.Text || m.HTML != want.HTML || m.Lang != "th" || m.To != "A.b@x.th" {
		t.Errorf("got %q, %q, %q, %q to %s", m.Subject, m.Text, m.HTML, m.Lang, m.To)
	}
	for name, value := range map[string]string{
		"Message-Id": "<id@matriq.example>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
		"From": `"Matriq" <no-reply@matriq.example>`, "To": "<A.b@x.th>", "User-Agent": "", "X-Mailer": "",
	} {
		if got := m.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if at, err := m.Header.Date(); err != nil || time.Since(at) > time.Minute {
		t.Errorf("Date is %v, %v", at, err)
	}
	if m.From != "no-reply@matriq.example" {
		t.Errorf("the envelope is from %q", m.From)
	}
	for i, b := range m.Raw {
		if b > 0x7e {
			t.Fatalf("byte %d of the mail is %#x, want ASCII", i, b)
		}
	}
}

// secured returns a sink with TLS and a login, and its certificate's file.
func secured(t *testing.T) (sink *mailsink.Sink, ca string, o mailsink.Options) {
	t.Helper()
	cert, pem, err := mailsink.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	o = mailsink.Options{Certificate: &cert, Username: "us er", Password: "p@ss:w/rd"}
	return mailsink.New(o), ca, o
}

func TestSMTP_Send_secured(t *testing.T) {
	t.Parallel()
	sink, ca, _ := secured(t)
	addr := serve(t, sink)
	query := "?tls=starttls&ca=" + url.QueryEscape(ca)
	cfg := config(addr)

	cfg.URL = "smtp://us%20er:p%40ss%3Aw%2Frd@" + addr + query
	if err := newSMTP(t, cfg).Send(t.Context(), letter("right@x.th")); err != nil {
		t.Fatal(err)
	}
	if m := sink.Messages("right@x.th"); len(m) != 1 || !m[0].TLS || m[0].User != "us er" {
		t.Errorf("got %+v, want a mail over TLS after a login", m)
	}

	for name, raw := range map[string]string{
		"wrong password":    "smtp://us%20er:hunter2@" + addr + query,
		"no login":          "smtp://" + addr + query,
		"unknown authority": "smtp://us%20er:hunter2@" + addr + "?tls=starttls",
	} {
		cfg.URL = raw
		err := newSMTP(t, cfg).Send(t.Context(), letter("wrong@x.th"))
		if err == nil || errors.Is(err, email.ErrRefused) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want a failure that an operator can mend, without the password", name, err)
		}
	}
	if sink.Count() != 1 {
		t.Errorf("%d mails are out, want 1", sink.Count())
	}
}

// A server that lost its STARTTLS gets no mail in the clear.
func TestSMTP_Send_neverDowngrades(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	cfg := config(serve(t, sink))
	cfg.URL = strings.TrimSuffix(cfg.URL, "?tls=none")
	if err := newSMTP(t, cfg).Send(t.Context(), letter("a@x.th")); err == nil || sink.Count() != 0 {
		t.Errorf("Send = %v, and %d mails are out", err, sink.Count())
	}
}

func TestSMTP_Send_implicitTLS(t *testing.T) {
	t.Parallel()
	sink, ca, o := secured(t)
	l, err := listenTLS(t, o)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, sink, l)
	cfg := config("")
	cfg.URL = "smtp://us%20er:p%40ss%3Aw%2Frd@" + l.Addr().String() + "?tls=implicit&ca=" + url.QueryEscape(ca)
	if err := newSMTP(t, cfg).Send(t.Context(), letter("a@x.th")); err != nil {
		t.Fatal(err)
	}
	if m := sink.Messages("a@x.th"); len(m) != 1 || !m[0].TLS || m[0].User != "us er" {
		t.Errorf("got %+v, want a mail over TLS after a login", m)
	}
}

func TestSMTP_Send_login(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{Username: "u", Password: "p"})
	addr := serve(t, sink)
	cfg := config(addr)
	cfg.URL = "smtp://u:p@" + addr + "?tls=none"
	if err := newSMTP(t, cfg).Send(t.Context(), letter("a@x.th")); err != nil {
		t.Fatal(err)
	}
	if m := sink.Messages("a@x.th"); len(m) != 1 || m[0].User != "u" {
		t.Errorf("got %+v, want a mail after a login", m)
	}
}

// Only a plain 5xx to the mail itself is for ever.
func TestSMTP_Send_failures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   mailsink.Fault
		refused bool
	}{
		"4xx greeting":  {mailsink.Fault{Stage: mailsink.StageHello, Action: mailsink.Refuse, Code: 421}, false},
		"5xx greeting":  {mailsink.Fault{Stage: mailsink.StageHello, Action: mailsink.Refuse, Code: 554}, false},
		"4xx sender":    {mailsink.Fault{Stage: mailsink.StageMail, Action: mailsink.Refuse, Code: 451}, false},
		"5xx sender":    {mailsink.Fault{Stage: mailsink.StageMail, Action: mailsink.Refuse, Code: 550}, true},
		"login needed":  {mailsink.Fault{Stage: mailsink.StageMail, Action: mailsink.Refuse, Code: 530}, false},
		"4xx recipient": {mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 450}, false},
		"5xx recipient": {mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 550}, true},
		"4xx mail":      {mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.Refuse, Code: 452}, false},
		"5xx mail":      {mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.Refuse, Code: 554}, true},
		"odd code":      {mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.Refuse, Code: 354}, false},
		"421":           {mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 421}, false},
		"cut greeting":  {mailsink.Fault{Stage: mailsink.StageHello, Action: mailsink.Cut}, false},
		"cut sender":    {mailsink.Fault{Stage: mailsink.StageMail, Action: mailsink.Cut}, false},
		"cut mail":      {mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.Cut}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := mailsink.New(mailsink.Options{})
			sender := newSMTP(t, config(serve(t, sink)))
			remove := sink.Inject(c.fault)
			err := sender.Send(t.Context(), letter("somchai@x.th"))
			if err == nil || errors.Is(err, email.ErrRefused) != c.refused {
				t.Fatalf("Send = %v, want refused %v", err, c.refused)
			}
			if strings.Contains(err.Error(), "somchai") {
				t.Errorf("%v holds the address", err)
			}
			remove()
			if err := sender.Send(t.Context(), letter("somchai@x.th")); err != nil || sink.Count() != 1 {
				t.Errorf("Send after the fault = %v, %d mails are out", err, sink.Count())
			}
		})
	}
}

// A refusal does not cost the connection, and a lost one does not cost the mail.
func TestSMTP_Send_reuses(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	send := func(want bool) {
		t.Helper()
		if err := sender.Send(t.Context(), letter("a@x.th")); (err == nil) != want {
			t.Errorf("Send = %v", err)
		}
	}
	send(true)
	send(true)
	sink.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 550, Times: 1})
	send(false)
	send(true)
	if got := sink.Connections(); got != 1 {
		t.Errorf("%d connections for four attempts, want 1", got)
	}
	sink.Inject(mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.AcceptAndCut, Times: 1})
	send(true)
	send(true)
	if got := sink.Connections(); got != 2 || sink.Count() != 5 {
		t.Errorf("%d connections and %d mails, want 2 and 5", got, sink.Count())
	}
}

// There are never more connections than allowed, however many mails wait.
func TestSMTP_Send_bounded(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	var sends sync.WaitGroup
	for range 100 {
		sends.Go(func() {
			if err := sender.Send(t.Context(), letter("a@x.th")); err != nil {
				t.Error(err)
			}
		})
	}
	sends.Wait()
	if sink.Count() != 100 || sink.Connections() > 4 {
		t.Errorf("%d mails over %d connections, want 100 over 4 at most", sink.Count(), sink.Connections())
	}
}

// A connection that idles too long is closed with a good-bye.
func TestSMTP_idle(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	cfg := config(serve(t, sink))
	cfg.Idle = time.Millisecond
	sender := newSMTP(t, cfg)
	if err := sender.Send(t.Context(), letter("a@x.th")); err != nil {
		t.Fatal(err)
	}
	limit, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sink.Open() > 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the connection is still open")
		}
	}
}

// A mail server that says nothing costs no more than the context allows.
func TestSMTP_Send_hang(t *testing.T) {
	t.Parallel()
	for _, stage := range []mailsink.Stage{mailsink.StageHello, mailsink.StageRcpt, mailsink.StageData} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			sink := mailsink.New(mailsink.Options{})
			sender := newSMTP(t, config(serve(t, sink)))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			remove := sink.Inject(mailsink.Fault{Stage: stage, Action: mailsink.Hang, Times: 1, On: cancel})
			defer remove()
			err := sender.Send(ctx, letter("a@x.th"))
			if !errors.Is(err, context.Canceled) || errors.Is(err, email.ErrRefused) {
				t.Errorf("Send = %v, want context.Canceled", err)
			}
			if err := sender.Send(t.Context(), letter("a@x.th")); err != nil || sink.Count() != 1 {
				t.Errorf("Send to the server that woke up = %v, %d mails are out", err, sink.Count())
			}
		})
	}
}

func TestSMTP_Send_busy(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	cfg := config(serve(t, sink))
	cfg.Connections = 1
	sender := newSMTP(t, cfg)
	struck, done := make(chan struct{}), make(chan error, 1)
	remove := sink.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Hang, On: func() { close(struck) }})
	go func() { done <- sender.Send(t.Context(), letter("a@x.th")) }()
	<-struck
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sender.Send(ctx, letter("b@x.th")); !errors.Is(err, context.Canceled) {
		t.Errorf("Send while all connections are busy = %v, want context.Canceled", err)
	}
	remove()
	if err := <-done; err == nil {
		t.Error("the mail that hung was sent")
	}
}

// What would break out of a header is refused before a connection is made.
func TestSMTP_Send_unsafe(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	for name, change := range map[string]func(*email.Mail){
		"to":         func(m *email.Mail) { m.To = "a@x.th\r\nBcc: b@x.th" },
		"two to":     func(m *email.Mail) { m.To = "a@x.th, b@x.th" },
		"path":       func(m *email.Mail) { m.To = "a@x.th> NOTIFY=NEVER <b@x.th" },
		"subject":    func(m *email.Mail) { m.Subject = "s\nBcc: b@x.th" },
		"language":   func(m *email.Mail) { m.Language = "th\rBcc: b@x.th" },
		"message id": func(m *email.Mail) { m.MessageID = "x\r\n\r\nbody" },
		"nul":        func(m *email.Mail) { m.Text = "a\x00b" },
	} {
		m := letter("a@x.th")
		change(&m)
		if err := sender.Send(t.Context(), m); !errors.Is(err, email.ErrUnsafe) {
			t.Errorf("%s: %v, want ErrUnsafe", name, err)
		}
	}
	if sink.Connections() != 0 {
		t.Error("a connection was made")
	}
}

func TestSMTP_Send_expired(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	m := letter("a@x.th")
	m.Expires = time.Now()
	if err := sender.Send(t.Context(), m); !errors.Is(err, email.ErrExpired) {
		t.Errorf("Send = %v, want ErrExpired", err)
	}
	m.Expires = time.Now().Add(time.Hour)
	if err := sender.Send(t.Context(), m); err != nil || sink.Count() != 1 || sink.Connections() != 1 {
		t.Errorf("Send of a live one = %v, %d mails over %d connections", err, sink.Count(), sink.Connections())
	}
}

func TestSMTP_Ready(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	sender := newSMTP(t, config(serve(t, sink)))
	remove := sink.Inject(mailsink.Fault{Stage: mailsink.StageHello, Action: mailsink.Refuse, Code: 421})
	if err := sender.Ready(t.Context()); err == nil {
		t.Error("ready while the server refuses us")
	}
	remove()
	for range 3 {
		if err := sender.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := sink.Connections(); got > 3 {
		t.Errorf("%d connections for three checks", got)
	}
}
