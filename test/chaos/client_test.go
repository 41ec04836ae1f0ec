package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
)

// The REST client that the gateways know.
const (
	clientName     = "tester"
	clientPassword = "correct-horse-battery-staple"
)

const requestTimeout = 10 * time.Second

// client sends REST calls to any replica of a gateway, as an edge without a
// health check would: a replica that is down is the caller's to bear.
type client struct {
	http http.Client

	mu      sync.Mutex
	answers map[string]int // by status
	strange []string       // answers that chaos does not excuse
}

func newClient() *client {
	return &client{answers: map[string]int{}, http: http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: concurrency},
		Timeout:   requestTimeout,
	}}
}

// answer is what became of a call. Status 0 means that there was no answer: what
// was asked for may have happened. With a status, an error means an answer that
// chaos does not excuse.
type answer struct {
	status int
	reason string        // of a refusal
	after  time.Duration // when to come again
	err    error
}

// post sends body to one of addrs and decodes the 200 into reply.
func (c *client) post(ctx context.Context, addrs []string, path, key string, body, reply any) answer {
	a := c.exchange(ctx, addrs, path, key, body, reply)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case a.status != 0:
		c.answers[strconv.Itoa(a.status)]++
	case errors.Is(a.err, syscall.ECONNREFUSED):
		c.answers["refused"]++
	default:
		c.answers["cut"]++
	}
	return a
}

func (c *client) exchange(ctx context.Context, addrs []string, path, key string, body, reply any) answer {
	req, err := c.request(ctx, addrs, path, key, body)
	if err != nil {
		return answer{err: err}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{err: err}
	}
	if res.StatusCode != http.StatusOK {
		return c.refused(path, res, data)
	}
	if err := json.Unmarshal(data, reply); err != nil {
		c.note("%s: 200 with %q", path, data)
		return answer{status: http.StatusOK, err: err}
	}
	return answer{status: http.StatusOK}
}

func (c *client) request(ctx context.Context, addrs []string, path, key string, body any) (*http.Request, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	addr := addrs[rand.IntN(len(addrs))] //nolint:gosec // G404: any will do
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(clientName, clientPassword)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return req, nil
}

var errStrange = errors.New("an answer that chaos does not excuse")

func (c *client) refused(path string, res *http.Response, data []byte) answer {
	var p restapi.Problem
	err := json.Unmarshal(data, &p)
	reason := p.Type[min(len(p.Type), len(restapi.ProblemTypePrefix)):]
	switch {
	case err != nil:
	case res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusTooManyRequests:
	case path == restapi.PathRegister && (reason == "not_verified" || reason == "idempotency_key_in_flight"):
	default:
		err = errStrange
	}
	if err != nil {
		c.note("%s: %d %s", path, res.StatusCode, data)
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // none is at once
	return answer{status: res.StatusCode, reason: reason, after: time.Duration(seconds) * time.Second, err: err}
}

func (c *client) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strange = append(c.strange, fmt.Sprintf(format, args...))
}

// check fails the test for answers that chaos does not excuse.
func (c *client) check(t *testing.T) {
	t.Helper()
	for _, line := range c.strange {
		t.Errorf("strange answer: %s", line)
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
