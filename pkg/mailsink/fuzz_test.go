package mailsink

import (
	"testing"
	unicode "unicode/utf8"
)

// Whatever is sent, reading it ends, and what it yields can be shown.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "\r\n", "Subject: a\r\n\r\nb\r\n", "Subject: =?UTF-8?b?4Lij?= =?x?q?=ff?=\r\n\r\n",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n",
		"Content-Type: multipart/mixed; boundary=\r\n\r\n----\r\n",
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=E0=B8\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parse(raw)
		if err != nil {
			return
		}
		for _, s := range []string{m.Subject, m.Text, m.HTML, m.Lang} {
			if !unicode.ValidString(s) {
				t.Errorf("parse(%q) yields %q", raw, s)
			}
		}
	})
}
