package email_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// script is a mail server that gives the answers it is told to. One that pipelines
// answers nothing before the end of a group, so that a client which waits for an
// answer earlier waits for ever.
type script struct {
	pipelines bool

	mu      sync.Mutex
	answers map[string]string // by verb, each once and before the usual one; "" closes
	heard   []string          // verbs, connections and texts, in their order
	until   map[string]<-chan struct{}
}

func (s *script) serve(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // ends the loop below
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				s.talk(conn)
				_ = conn.Close() // the client may have closed it
			})
		}
	})
	return l.Addr().String()
}

func (s *script) talk(conn net.Conn) {
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	defer out.Flush() // the client may have gone
	for verb := "connect"; ; {
		answer := s.answer(verb)
		if answer == "" {
			return
		}
		_, _ = fmt.Fprint(out, answer, "\r\n") // Flush tells
		if !s.pipelines || !strings.Contains("RSET MAIL RCPT", verb) {
			if in.Buffered() > 0 {
				s.answer("ahead")
			}
			if out.Flush() != nil {
				return
			}
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(answer, "354") {
			verb = readText(in, line)
		}
	}
}

// readText reads to the dot, and tells "text" or "nothing".
func readText(in *bufio.Reader, line string) string {
	for what := "nothing"; ; what = "text" {
		if line == ".\r\n" {
			return what
		}
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return "half a text"
		}
	}
}

// will has the server give answers next.
func (s *script) will(answers map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

// hold has the server answer a verb only when until is closed.
func (s *script) hold(verb string, until <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = map[string]<-chan struct{}{verb: until}
}

// answer notes what came and returns what is due.
func (s *script) answer(verb string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, verb)
	if until, ok := s.until[verb]; ok {
		<-until
	}
	if answer, ok := s.answers[verb]; ok {
		delete(s.answers, verb)
		return answer
	}
	switch verb {
	case "connect":
		return "220 script"
	case "EHLO":
		if s.pipelines {
			return "250-script\r\n250 PIPELINING"
		}
		return "250 script"
	case "DATA":
		return "354 go on"
	case "half a text":
		return ""
	}
	return "250 ok"
}

// told returns all that came.
func (s *script) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, " ")
}
