package peer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"matriq/bench/child"
)

// RoleMail is a mail server that keeps the newest code for each address, and
// nothing else of what it takes.
//
// It is leaner than package mailsink, so that a bench of many journeys on few
// cores measures them and not their mails. It speaks the SMTP that the mail worker
// speaks, without TLS, and holds the recipients of a mail apart.
const RoleMail = "mail"

// Mailboxes is what [RoleMail] answers to AskOpen: where mails and questions go.
type Mailboxes struct {
	SMTP  string `json:"smtp"`
	Codes string `json:"codes"`
}

// AskMails asks how many mails have arrived.
const AskMails = "mails"

// mailboxes holds what was mailed and who waits for it.
type mailboxes struct {
	mails atomic.Int64

	mu      sync.Mutex
	codes   map[string]string // by address, until they are asked for
	waiting map[string]func(code string)
}

func mailServer(process context.Context) map[string]child.Handler {
	m := &mailboxes{codes: map[string]string{}, waiting: map[string]func(string){}}
	return map[string]child.Handler{
		AskOpen: child.Answers(func(context.Context, string) (Mailboxes, error) {
			smtp, err := listen(process, m.smtp)
			if err != nil {
				return Mailboxes{}, err
			}
			codes, err := listen(process, m.ask)
			return Mailboxes{SMTP: smtp, Codes: codes}, err
		}),
		AskMails: child.Answers(func(context.Context, struct{}) (int64, error) { return m.mails.Load(), nil }),
	}
}

// listen serves every connection with serve until the process ends.
func listen(process context.Context, serve func(net.Conn)) (addr string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(process, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(process, func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() // the other side has gone
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String(), nil
}

// smtp takes mails on one connection. The answers to a group of commands leave
// together.
func (m *mailboxes) smtp(conn net.Conn) {
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	say := func(line string) bool {
		_, err := out.WriteString(line + "\r\n")
		if err == nil && in.Buffered() == 0 {
			err = out.Flush()
		}
		return err == nil
	}
	var to []string
	for ok := say("220 bench"); ok; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch verb {
		case "EHLO":
			ok = say("250-bench\r\n250-PIPELINING\r\n250 8BITMIME")
		case "RCPT":
			to = append(to, between(line, '<', '>'))
			ok = say("250 ok")
		case "DATA":
			if !say("354 go on") {
				return
			}
			body, err := readMail(in)
			if err != nil {
				return
			}
			m.keep(to, body)
			to, ok = nil, say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default: // HELO, MAIL, NOOP, RSET
			ok = say("250 ok")
		}
	}
}

func between(s string, open, end byte) string {
	_, s, _ = strings.Cut(s, string(open))
	s, _, _ = strings.Cut(s, string(end))
	return strings.ToLower(s)
}

// readMail reads up to the dot.
func readMail(in *bufio.Reader) ([]byte, error) {
	var body bytes.Buffer
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if string(line) == ".\r\n" {
			return body.Bytes(), nil
		}
		body.Write(line)
	}
}

// codePattern is a code as the text of a mail has it, which is quoted-printable:
// no other six digits stand together there.
var codePattern = regexp.MustCompile(`\b[0-9]{6}\b`)

// codeIn returns the code of a mail, "" if it has none.
func codeIn(mail []byte) string {
	_, part, _ := bytes.Cut(mail, []byte("text/plain"))
	_, text, _ := bytes.Cut(part, []byte("\r\n\r\n"))
	text, _, _ = bytes.Cut(text, []byte("\r\n--"))
	return string(codePattern.Find(bytes.ReplaceAll(text, []byte("=\r\n"), nil)))
}

func (m *mailboxes) keep(to []string, mail []byte) {
	m.mails.Add(int64(len(to)))
	code := codeIn(mail)
	if code == "" {
		return
	}
	for _, address := range to {
		m.mu.Lock()
		answer := m.waiting[address]
		delete(m.waiting, address)
		if answer == nil {
			m.codes[address] = code
		}
		m.mu.Unlock()
		if answer != nil {
			answer(code)
		}
	}
}

// ask answers questions on one connection: a line with an address gets a line with
// the address and its code, as soon as there is one.
func (m *mailboxes) ask(conn net.Conn) {
	var writing sync.Mutex
	in := bufio.NewScanner(conn)
	for in.Scan() {
		address := in.Text()
		m.when(address, func(code string) {
			writing.Lock()
			defer writing.Unlock()
			_, _ = fmt.Fprintf(conn, "%s %s\n", address, code) // whoever asked may have gone
		})
	}
}

// when calls answer with the code of an address, now or later, and forgets it.
func (m *mailboxes) when(address string, answer func(code string)) {
	m.mu.Lock()
	code, ok := m.codes[address]
	delete(m.codes, address)
	if !ok {
		m.waiting[address] = answer
	}
	m.mu.Unlock()
	if ok {
		answer(code)
	}
}
