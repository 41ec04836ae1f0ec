package peer

import (
	"context"
	"fmt"
	"net"
	"net/smtp"
	"testing"
	"time"
)

// mailOf is a mail as the worker writes it: text, then HTML, quoted-printable.
func mailOf(text string) []byte {
	return []byte("Date: Sat, 21 Nov 2026 21:00:00 +0000\r\nMessage-ID: <123456@example.ac.th>\r\n" +
		"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=UTF-8\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + text + "\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>999999</p>\r\n--b--\r\n")
}

func TestMail_GivesCodesToWhoeverAsks(t *testing.T) {
	t.Parallel()
	handlers := mailServer(t.Context())
	opened, err := handlers[AskOpen](t.Context(), []byte(`""`))
	if err != nil {
		t.Fatal(err)
	}
	boxes, ok := opened.(Mailboxes)
	if !ok {
		t.Fatalf("opened %v", opened)
	}
	codes, err := dialCodes(t.Context(), boxes.Codes)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	go func() { // before the mail is there
		code, err := codes.Code(t.Context(), "Early@example.ac.th", "")
		asked <- fmt.Sprint(code, err)
	}()
	for address, text := range map[string]string{
		"early@example.ac.th": "=E0=B8=A3=E0=B8=AB=E0=B8=B1=E0=B8=AA: 12=\r\n3456\r\n",
		"late@example.ac.th":  "Verification code: 654321\r\nReference: ABCD\r\n",
		"none@example.ac.th":  "You are student 69000001.\r\n",
	} {
		if err := smtp.SendMail(boxes.SMTP, nil, "from@example.ac.th", []string{address}, mailOf(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-asked; got != "123456<nil>" {
		t.Errorf("the code of early is %s", got)
	}
	if code, err := codes.Code(t.Context(), "late@example.ac.th", ""); err != nil || code != "654321" {
		t.Errorf("the code of late is %q, %v", code, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if code, err := codes.Code(ctx, "none@example.ac.th", ""); err == nil {
		t.Errorf("the code of none is %q", code)
	}
	if mails, err := handlers[AskMails](t.Context(), []byte("{}")); err != nil || mails != int64(3) {
		t.Errorf("%v mails arrived, %v; want 3", mails, err)
	}
}

// The answers to a group of commands come in one packet.
func TestMail_AnswersGroupsAtOnce(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer here.Close() // it ends the server
	go new(mailboxes).smtp(there)
	answer := make([]byte, 1000)
	if _, err := here.Read(answer); err != nil { // the greeting
		t.Fatal(err)
	}
	for _, step := range []struct{ say, want string }{
		{"EHLO localhost\r\n", "250-bench\r\n250-PIPELINING\r\n250 8BITMIME\r\n"},
		{"RSET\r\nMAIL FROM:<a@x.th>\r\nRCPT TO:<b@x.th>\r\nDATA\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n"},
		{"Subject: none\r\n\r\n.\r\n", "250 kept\r\n"},
	} {
		if _, err := here.Write([]byte(step.say)); err != nil {
			t.Fatal(err)
		}
		n, err := here.Read(answer)
		if got := string(answer[:n]); err != nil || got != step.want {
			t.Errorf("%q is answered with %q, %v", step.say, got, err)
		}
	}
}
