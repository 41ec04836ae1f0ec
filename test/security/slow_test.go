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
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowTrials are clients that hold on to connections.
func slowTrials() []trial {
	return []trial{{"SlowSenders", slowSenders}}
}

// slowCrowd is how many hold on to a connection, slowPatience how long a replica
// bears with one that sends the head of a request, or then its form, and
// slowGrace what a busy machine needs beyond that.
const (
	slowCrowd    = 2000
	slowPatience = 5 * time.Second
	slowGrace    = 5 * time.Second
)

// Threat: two thousand connections send their request a byte at a time, forms of
// which the end does not come, or nothing at all, and come again as soon as they
// are cut off, until nobody else is served. Promise: others' slowest answers (p99)
// do not take twice as long, and who has not sent the head of a request within 5
// seconds, or then its form within 5 more, is cut off.
func slowSenders(t *testing.T, s *system) {
	p := s.Replicas("ui")[0]
	besideSlow(t, p.HTTP, "http://"+p.HTTP+"/start", slowPatience)
}

// besideSlow fails the test if a crowd of slow connections to addr makes p99 of
// the answers of url more than twice as long, or if one of them is borne with for
// longer than patience.
//
// A round is two thousand requests, so that twenty of them are slower than its
// p99; of several rounds the median counts. Rounds before and after the crowd
// tell how much the machine alone makes them differ: that much is forgiven.
func besideSlow(t *testing.T, addr, url string, patience time.Duration) {
	t.Helper()
	const rounds = 3
	measure := func() (p99 []time.Duration) {
		for range rounds {
			p99 = append(p99, slowest(t, url))
		}
		return p99
	}
	quiet := measure()
	c := gather(t, addr, slowCrowd)
	eventually(t, "all hold a connection", 30*time.Second, func() bool { return c.held.Load() == slowCrowd })
	least, busy := c.held.Load(), []time.Duration{}
	// Until each was cut off once, and has come again.
	for begin := time.Now(); c.cutOff() < slowCrowd && time.Since(begin) < 4*(patience+slowGrace); {
		busy = append(busy, slowest(t, url))
		least = min(least, c.held.Load())
	}
	if n := c.cutOff(); n < slowCrowd {
		t.Errorf("%d of %d slow connections were cut off", n, slowCrowd)
	}
	c.leave()
	quiet = append(quiet, measure()...)
	if longest := c.longest(); longest > patience+slowGrace {
		t.Errorf("a connection was open for %v", longest)
	}
	if least < slowCrowd/2 {
		t.Errorf("%d connections were held at least: too few to tell anything", least)
	}
	slices.Sort(quiet)
	slices.Sort(busy)
	before, noise, beside := quiet[len(quiet)/2], quiet[len(quiet)-1]-quiet[0], busy[len(busy)/2]
	t.Logf("p99 %v (rounds %v apart), beside %d to %d slow connections %v; the longest was cut off after %v",
		before, noise, least, slowCrowd, beside, c.longest())
	if beside > 2*before+noise {
		t.Errorf("beside %d slow connections p99 is %v in %v, without them %v, in %v", slowCrowd, beside, busy, before, quiet)
	}
}

// slowest is how long the slowest of a hundred answers takes, of two thousand.
func slowest(t *testing.T, url string) time.Duration {
	t.Helper()
	const asked = 2000
	client := &http.Client{
		Transport: &http.Transport{}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	all := make([]time.Duration, 0, asked)
	for range asked {
		begin := time.Now()
		res, err := client.Do(request(t, http.MethodGet, url, nil, http.Header{"Cookie": {sid + "=none"}}))
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

// slow is a crowd that holds on to connections.
type slow struct {
	held  atomic.Int64
	leave func()

	mu    sync.Mutex
	cut   map[int]bool  // which of them have been
	borne time.Duration // with which, for longest
}

// gather has n clients connect to addr, and again when they are cut off, until
// they leave.
func gather(t *testing.T, addr string, n int) *slow {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &slow{cut: map[int]bool{}}
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			for ctx.Err() == nil {
				if err := c.hold(ctx, addr, i); err != nil && ctx.Err() == nil {
					pause(ctx, 100*time.Millisecond) // all have come at once
				}
			}
		})
	}
	c.leave = sync.OnceFunc(func() { cancel(); clients.Wait() })
	t.Cleanup(c.leave)
	return c
}

// halves are beginnings of requests, and what they go on with once a second.
func halves(host string) [][2]string {
	return [][2]string{
		{"GET / HTTP/1.1\r\nHost: " + host + "\r\nX-Slow: ", "a"},
		{"POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\nemail=", "a"},
		{"", ""},
		{"GET / HTTP/1.1\r\n", "a"},
	}
}

// hold connects, and sends a byte a second until it is answered or cut off.
func (c *slow) hold(ctx context.Context, addr string, i int) error {
	source := &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.200.%d.%d", i/250, 1+i%250))}
	conn, err := (&net.Dialer{LocalAddr: source, Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	half := halves(addr)[i%len(halves(addr))]
	begin := time.Now()
	if _, err := io.WriteString(conn, half[0]); err != nil {
		return err
	}
	c.held.Add(1)
	defer c.held.Add(-1)
	for ctx.Err() == nil {
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			break
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if _, err := io.WriteString(conn, half[1]); err != nil {
			break
		}
	}
	if ctx.Err() == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cut[i] = true
		c.borne = max(c.borne, time.Since(begin))
	}
	return ctx.Err()
}

// cutOff is how many of the crowd have been answered or cut off.
func (c *slow) cutOff() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.cut)
}

// longest is how long the one was borne with that was borne with longest.
func (c *slow) longest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.borne
}
