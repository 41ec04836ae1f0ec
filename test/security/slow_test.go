package security_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"matriq/test/harness"
)

// slowTrials are clients that hold on to connections.
func slowTrials() []trial {
	return []trial{{"SlowSenders", slowSenders}}
}

// Threat: two thousand connections send their request a byte at a time, forms of
// which the end does not come, or nothing at all, until nobody else is served.
// Promise: they cost a replica a few kilobytes each, others' slowest answers (p99)
// do not take twice as long, and who has not sent the head of a request within 5
// seconds, or then its form within 5 more, is cut off.
func slowSenders(t *testing.T, s *system) {
	const crowd, patience = 2000, 5 * time.Second
	p := s.Replicas("ui")[0]
	quiet := slowest(t, p)
	begin := time.Now()
	slow := connections(t, p, crowd)
	stop := dribble(t, slow)
	eventually(t, "the replica has all connections", 20*time.Second, func() bool { return s.openFiles(t, p) >= crowd })
	// The machine's own noise is not the crowd's: the best of a few rounds counts,
	// and what nobody notices does not.
	const rounds, unnoticed = 3, 10 * time.Millisecond
	busy := slowest(t, p)
	for range rounds - 1 {
		busy = min(busy, slowest(t, p))
	}
	if busy > 2*quiet+unnoticed {
		t.Errorf("beside %d slow connections p99 is %v, without them %v", crowd, busy, quiet)
	}
	t.Logf("p99 %v, beside %d slow connections %v, %d of them open still", quiet, crowd, busy, int(s.openFiles(t, p)))
	eventually(t, "the slow connections are cut off", 4*patience, func() bool { return s.openFiles(t, p) < crowd/10 })
	stop()
	for i, conn := range slow {
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection %d is open after %v", i, time.Since(begin))
		}
	}
}

// halves are beginnings of requests.
func halves() []string {
	return []string{
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
		"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\nemail=",
		"",
		"GET / HTTP/1.1\r\n",
	}
}

// connections opens n connections and says half a request on each.
func connections(t *testing.T, p *harness.Process, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var opening errgroup.Group
	opening.SetLimit(64)
	for i := range conns {
		opening.Go(func() error {
			source := &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.200.%d.%d", i/250, 1+i%250))}
			conn, err := (&net.Dialer{LocalAddr: source, Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", p.HTTP)
			if err != nil {
				return err
			}
			conns[i] = conn
			_, err = io.WriteString(conn, halves()[i%len(halves())])
			return err
		})
	}
	if err := opening.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return conns
}

// dribble writes a byte a second to each connection until stop is called.
func dribble(t *testing.T, conns []net.Conn) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			for i, conn := range conns {
				if halves()[i%len(halves())] != "" {
					_, _ = conn.Write([]byte("a")) // it may be cut off by now
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// slowest is how long the slowest of a hundred answers takes, of four hundred.
func slowest(t *testing.T, p *harness.Process) time.Duration {
	t.Helper()
	const asked = 400
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	var all []time.Duration
	for range asked {
		begin := time.Now()
		res, err := client.Do(request(t, http.MethodGet, "http://"+p.HTTP+"/start", nil, http.Header{"Cookie": {sid + "=none"}}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	return all[asked*99/100]
}

// openFiles is how many descriptors a process has open.
func (s *system) openFiles(t *testing.T, p *harness.Process) (n float64) {
	t.Helper()
	for line := range strings.Lines(fetch(t, "http://"+p.Admin+"/metrics")) {
		n += valueOf(t, line, "process_open_fds", nil)
	}
	return n
}
