package harness

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/service/httpd"
)

// Edge spreads requests over the replicas of one service in turn. A replica
// that does not take the connection is passed over, as the edge of the stack
// does; a connection that breaks after that is the client's to see.
//
// It appends whom it heard from to X-Forwarded-For and leaves what was there, as
// many proxies do: whoever believes the left end believes anybody. A client that is
// refused while it still writes reads why, as behind the stack's edge.
type Edge struct {
	URL string

	mu       sync.Mutex
	replicas []string
	tap      func([]byte)
	next     atomic.Uint64
}

// NewEdge listens on a loopback port.
func NewEdge(t *testing.T, replicas ...string) *Edge {
	t.Helper()
	e := &Edge{replicas: replicas}
	transport := &http.Transport{DialContext: e.dial, DisableKeepAlives: true}
	server := httptest.NewServer(httpd.Drain(&httputil.ReverseProxy{
		Transport: tapped{transport, e},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "replica"
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
	}))
	t.Cleanup(server.Close)
	e.URL = server.URL
	return e
}

// Set replaces the list of replicas.
func (e *Edge) Set(replicas ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.replicas = replicas
}

func (e *Edge) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.replicas...)
}

var errNoReplica = errors.New("no replica takes the connection")

// dial connects to the next replica that answers.
func (e *Edge) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	replicas := e.list()
	dialer := net.Dialer{Timeout: time.Second}
	first := e.next.Add(1)
	for i := range replicas {
		conn, err := dialer.DialContext(ctx, network, replicas[(first+uint64(i))%uint64(len(replicas))])
		if err == nil {
			return conn, nil
		}
	}
	return nil, errNoReplica
}

// Tap has listen get all that passes from now on: the head and the body of each
// request and of each answer. It may be called by several goroutines at once.
func (e *Edge) Tap(listen func([]byte)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tap = listen
}

func (e *Edge) listener() func([]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tap
}

// tapped lets the edge's listener hear what passes a transport.
type tapped struct {
	http.RoundTripper
	edge *Edge
}

// RoundTrip implements [http.RoundTripper].
func (t tapped) RoundTrip(r *http.Request) (*http.Response, error) {
	listen := t.edge.listener()
	if listen == nil {
		return t.RoundTripper.RoundTrip(r)
	}
	asked, err := httputil.DumpRequestOut(r, true)
	if err != nil {
		return nil, err
	}
	listen(asked)
	res, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	said, err := httputil.DumpResponse(res, true)
	if err != nil {
		return nil, err
	}
	listen(said)
	return res, nil
}
