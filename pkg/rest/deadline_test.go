package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/service"
)

// pipes is a listener whose connections are pipes, so that a server runs in
// synthetic time.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
	close       sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return localAddr("127.0.0.1:7002") }

// connect serves b as a program does, and returns a client's end.
func (b *bench) connect(t *testing.T) net.Conn {
	t.Helper()
	listener := &pipes{connections: make(chan net.Conn), closed: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- b.env.HTTP("", b, service.HTTPOptions{Listener: listener, DrainDelay: -1})(ctx)
	}()
	client, server := net.Pipe()
	listener.connections <- server
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return client
}

func send(t *testing.T, c net.Conn, lines ...string) {
	t.Helper()
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.Conn) (status int, body string) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.StatusCode, text(t, r)
}

const (
	asUI     = "Authorization: Basic dWk6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"     // ui
	asLoader = "Authorization: Basic bG9hZGVyOmxvYWQgbXkgbGlzdCBwbGVhc2U=" // loader
)

func TestPost_BodyThatStallsIsRefusedAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		c, start := b.connect(t), time.Now()
		send(t, c, "POST /echo HTTP/1.1", "Host: x", asUI, "Content-Type: application/json", "Content-Length: 100", "", `{"email":`)
		status, body := receive(t, c)
		if status != http.StatusRequestTimeout || !strings.Contains(body, "request_timeout") || time.Since(start) != 5*time.Second {
			t.Errorf("answer = %d %s after %v, want 408 after 5s", status, body, time.Since(start))
		}
		if b.calls.Load() != 0 {
			t.Error("the operation ran")
		}
	})
}

// The deadline of the body must not end the operation that follows it.
func TestPost_OperationMayTakeLongerThanTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.respond = func(r *http.Request, req echo) (echo, error) {
			select {
			case <-time.After(40 * time.Second):
				return req, nil
			case <-r.Context().Done():
				return req, r.Context().Err()
			}
		}
		c := b.connect(t)
		send(t, c, "POST /echo HTTP/1.1", "Host: x", asUI, "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(goodBody)), "", goodBody)
		if status, body := receive(t, c); status != http.StatusOK {
			t.Errorf("answer = %d %s, want 200", status, body)
		}
	})
}

// An upload may take minutes as long as it keeps coming.
func TestUpload_MayBeSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		c := b.connect(t)
		send(t, c, "POST /upload HTTP/1.1", "Host: x", asLoader, "Content-Type: text/csv", "Content-Length: 10", "", "")
		for range 10 {
			<-time.After(29 * time.Second)
			send(t, c, "x")
		}
		if status, body := receive(t, c); status != http.StatusOK || strings.TrimSpace(body) != "10" {
			t.Errorf("answer = %d %s, want 200 and 10", status, body)
		}
	})
}

func TestUpload_ThatStallsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		c := b.connect(t)
		send(t, c, "POST /upload HTTP/1.1", "Host: x", asLoader, "Content-Type: text/csv", "Content-Length: 10", "", "xxx")
		start := time.Now()
		if status, _ := receive(t, c); status != http.StatusRequestTimeout || time.Since(start) != 30*time.Second {
			t.Errorf("answer = %d after %v, want 408 after 30s", status, time.Since(start))
		}
	})
}
