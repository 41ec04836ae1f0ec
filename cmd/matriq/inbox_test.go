package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/smtp"
	"regexp"
	"testing"

	"matriq/pkg/mailsink"
)

var inboxAddresses = regexp.MustCompile(`smtp://(\S+) are at (http://\S+)`)

// A mail that goes in by SMTP is on the page and in the API; Ctrl-C is no failure.
func TestInbox(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"inbox", "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0"}, stdio{out: in, err: io.Discard})
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	at := inboxAddresses.FindStringSubmatch(line)
	if at == nil {
		t.Fatalf("it says %q, want where it listens", line)
	}
	const to = "malee@example.ac.th"
	mail := []byte("Subject: Hello\r\nContent-Type: text/plain\r\n\r\nYour code: 123456\r\n")
	if err := smtp.SendMail(at[1], nil, "a@example.ac.th", []string{to}, mail); err != nil {
		t.Fatal(err)
	}
	var found []mailsink.Message
	if err := json.Unmarshal(getPage(t, at[2]+"/api/messages?to="+to), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Subject != "Hello" {
		t.Errorf("messages = %+v, want the one that was sent", found)
	}
	stop()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}

func getPage(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, response.Status, err)
	}
	return body
}
