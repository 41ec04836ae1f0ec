package imap_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"matriq/cmd/matriq/load/imap"
)

// server is an IMAP server with one mailbox, and a mail of before in it.
func server(t *testing.T) (url string, deliver func(mail string)) {
	t.Helper()
	user := imapmemserver.NewUser("catchall", "s3cret")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	deliver = func(mail string) {
		mail = strings.ReplaceAll(mail, "\n", "\r\n")
		if _, err := user.Append("INBOX", literal{strings.NewReader(mail)}, &goimap.AppendOptions{Time: time.Now()}); err != nil {
			t.Error(err)
		}
	}
	deliver(mailTo("malee@example.ac.th", "OLD1", "111111"))
	memory := imapmemserver.New()
	memory.AddUser(user)
	s := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		InsecureAuth: true,
		Caps:         goimap.CapSet{goimap.CapIMAP4rev1: {}},
	})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	return "imap://catchall@" + l.Addr().String(), deliver
}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

func mailTo(address, ref, code string) string {
	return fmt.Sprintf("From: r@example.ac.th\nTo: <%s>\nSubject: =?utf-8?q?Code_=28%s=29?=\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"+
		"code=3A %s\n--b\nContent-Type: text/html; charset=utf-8\n\n<b>%s</b>\n--b--\n", address, ref, code, code)
}

func open(t *testing.T, url, password string) *imap.Mailbox {
	t.Helper()
	box, err := imap.Open(t.Context(), url, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return box
}

// await asks as the generator does, until there is a code.
func await(t *testing.T, box *imap.Mailbox, address, ref string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		code, err := box.Code(t.Context(), address, ref)
		if err != nil {
			t.Fatal(err)
		}
		if code != "" {
			return code
		}
	}
	t.Fatal("no code came")
	return ""
}

// Codes are found by address and reference, the newest first, and mails of before
// are not looked at.
func TestMailbox_Code(t *testing.T) {
	t.Parallel()
	url, deliver := server(t)
	box := open(t, url, "s3cret")
	if code, err := box.Code(t.Context(), "malee@example.ac.th", ""); code != "" || err != nil {
		t.Fatalf("before any mail: %q, %v", code, err)
	}
	deliver(mailTo("malee@example.ac.th", "AAAA", "222222"))
	deliver(mailTo("Somchai@Example.ac.th", "BBBB", "333333"))
	deliver(mailTo("malee@example.ac.th", "CCCC", "444444"))
	for _, test := range []struct{ address, ref, want string }{
		{"malee@example.ac.th", "CCCC", "444444"},
		{"malee@example.ac.th", "AAAA", "222222"},
		{"MALEE@example.ac.th", "", "444444"},
		{"somchai@example.ac.th", "BBBB", "333333"},
	} {
		if got := await(t, box, test.address, test.ref); got != test.want {
			t.Errorf("code of %s with %q is %q, want %q", test.address, test.ref, got, test.want)
		}
	}
	if code, err := box.Code(t.Context(), "malee@example.ac.th", "OLD1"); code != "" || err != nil {
		t.Errorf("a mail of before: %q, %v", code, err)
	}
}

func TestOpen_Refuses(t *testing.T) {
	t.Parallel()
	url, _ := server(t)
	for name, test := range map[string]struct{ url, password, says string }{
		"no URL":         {"x", "", "imaps://user@host:993/INBOX"},
		"no user":        {"imap://127.0.0.1", "", "imaps://user@host:993/INBOX"},
		"wrong password": {url, "wrong", "log in as catchall"},
		"no mailbox":     {url + "/Codes", "s3cret", "open Codes"},
		"nobody there":   {"imap://a@127.0.0.1:1", "", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := imap.Open(t.Context(), test.url, test.password)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open = %v, want %q in it", err, test.says)
			}
		})
	}
}
