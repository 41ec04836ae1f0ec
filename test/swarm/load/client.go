package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	answerWithin = 30 * time.Second
	// dialTimeout is how long one address is tried before the next.
	dialTimeout = 2 * time.Second
	maxBody     = 1 << 20
)

// errCounted is returned for what the counter has as failed.
var errCounted = errors.New("the request failed")

// client sends requests and has each of their round trips counted.
type client struct {
	http.Client
	count *counter
}

func newClient(site *Site, fresh bool, count *counter) *client {
	return &client{count: count, Client: http.Client{
		Timeout: answerWithin,
		Transport: &counting{count: count, Transport: &http.Transport{
			DialContext:         site.dial,
			TLSClientConfig:     &tls.Config{RootCAs: site.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:   fresh,
			MaxIdleConnsPerHost: mostAtATime,
			IdleConnTimeout:     answerWithin,
		}},
	}}
}

// counting is a transport that reads each answer to its end before it counts it.
type counting struct {
	*http.Transport
	count *counter
}

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.Transport.RoundTrip(req)
	if err != nil {
		c.count.broken(req, err)
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	_ = res.Body.Close() // read to its end
	if err != nil {
		c.count.broken(req, err)
		return nil, err
	}
	c.count.answered(req, res)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// answer is an answer with all of its body.
type answer struct {
	*http.Response
	body []byte
}

// later is how long the answer asks to wait.
func (a answer) later() time.Duration {
	seconds, _ := strconv.Atoi(a.Header.Get("Retry-After")) // it is there, or nobody asks
	return time.Duration(max(seconds, 1)) * time.Second
}

// send returns errCounted for a request that failed. An answer that asks to come
// again is none.
func (c *client) send(req *http.Request) (answer, error) {
	res, err := c.Do(req)
	if err != nil {
		if req.Context().Err() != nil {
			return answer{}, req.Context().Err()
		}
		return answer{}, fmt.Errorf("%w: %w", errCounted, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{res, body}
	if res.StatusCode >= http.StatusBadRequest && !c.count.later(res) {
		return a, fmt.Errorf("%w: %d", errCounted, res.StatusCode)
	}
	return a, nil
}

// get asks for a page.
func (c *client) get(ctx context.Context, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	return c.send(req)
}

// dial tries the addresses of the site one after the other, as browsers do with
// what a name stands for.
func (s *Site) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = []string{host}
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	first := s.turn.Add(1)
	for i := range addresses {
		conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(addresses[(first+uint64(i))%uint64(len(addresses))], port))
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}
