package mailsink_test

import (
	"strings"
	"testing"

	"matriq/pkg/mailsink"
)

const alternative = `From: a@x.th
To: b@x.th
Message-ID: <1@x.th>
Subject: =?UTF-8?q?=E0=B8=A3=E0=B8=AB=E0=B8=B1=E0=B8=AA?= ABC
Content-Language: th
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

=E0=B8=A3=E0=B8=AB=E0=B8=B1=E0=B8=AA 12=
34
--i
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: base64

PHA+4Lij4Lir
4Lix4LiqPC9wPg==
--i--
--o
Content-Type: text/plain
Content-Disposition: attachment; filename=x.txt

not the text
--o--
`

func TestParse(t *testing.T) {
	t.Parallel()
	sink := mailsink.New(mailsink.Options{})
	c := dial(t, serve(t, sink))
	send(t, c, "b@x.th", strings.ReplaceAll(alternative, "\n", "\r\n"))
	m := sink.Messages("b@x.th")[0]
	if m.Subject != "รหัส ABC" || m.Text != "รหัส 1234" || m.HTML != "<p>รหัส</p>" || m.Lang != "th" {
		t.Errorf("Message = %q, %q, %q, %q", m.Subject, m.Text, m.HTML, m.Lang)
	}
	if id := m.Header.Get("Message-ID"); id != "<1@x.th>" {
		t.Errorf("Message-ID = %q", id)
	}
}

// What cannot be read is refused and does not stop the server.
func TestParse_refuses(t *testing.T) {
	t.Parallel()
	deep := "Content-Type: multipart/mixed; boundary=b0\r\n\r\n"
	for i := range 10 {
		n := string(rune('0' + i))
		deep += "--b" + n + "\r\nContent-Type: multipart/mixed; boundary=b" + string(rune('1'+i)) + "\r\n\r\n"
	}
	sink := mailsink.New(mailsink.Options{})
	c := dial(t, serve(t, sink))
	for name, raw := range map[string]string{
		"no header":    "no header at all\r\n",
		"cut short":    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx",
		"bad base64":   "Content-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
		"nested parts": deep,
	} {
		err := c.SendMail("from@x.th", []string{"b@x.th"}, strings.NewReader(raw))
		if smtpCode(err) != 554 {
			t.Errorf("%s: %v, want 554", name, err)
		}
	}
	err := c.SendMail("from@x.th", []string{"b@x.th"}, strings.NewReader(plain("s", strings.Repeat("x\r\n", 1<<19))))
	if smtpCode(err) != 552 {
		t.Errorf("too big: %v, want 552", err)
	}
	send(t, c, "b@x.th", plain("s", "x"))
	if sink.Count() != 1 {
		t.Errorf("%d mails are there, want 1", sink.Count())
	}
}
