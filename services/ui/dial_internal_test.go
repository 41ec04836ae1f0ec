package ui

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Connections that were idle for less than a gateway takes to leave are used
// again, others are not.
func TestTransport_LetsGoOfIdleConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		idle  time.Duration
		dials int
	}{
		"used again":          {time.Second, 1},
		"longer than a drain": {3 * time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dials := 0
				transport := newTransport(func(context.Context, string, string) (net.Conn, error) {
					dials++
					ours, theirs := net.Pipe()
					go answerAll(theirs)
					return ours, nil
				})
				for range 2 {
					ask(t, transport)
					time.Sleep(c.idle) //nolint:forbidigo // no time passes in a bubble
				}
				transport.CloseIdleConnections()
				if dials != c.dials {
					t.Errorf("%d connections, want %d", dials, c.dials)
				}
			})
		})
	}
}

func ask(t *testing.T, transport *http.Transport) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://otp-gateway/getotp", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

// answerAll is a gateway on one connection.
func answerAll(conn net.Conn) {
	defer conn.Close()
	requests := bufio.NewReader(conn)
	for {
		if _, err := http.ReadRequest(requests); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") // its client tells
	}
}

// A replica that is gone costs no more than the time to notice it.
func TestDialEach_PassesOver(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialEach(t.Context(), "tcp", port, []string{"127.0.0.3", "127.0.0.2"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := dialEach(t.Context(), "tcp", port, []string{"127.0.0.3"}); err == nil {
		t.Error("nobody there took the connection")
	}
}
