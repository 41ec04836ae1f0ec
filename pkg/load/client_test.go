package load_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/load"
)

// counted is a server that knows how many connections came, and where from.
type counted struct {
	*httptest.Server
	connections atomic.Int64
	mu          sync.Mutex
	from        map[string]bool
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	c := &counted{from: map[string]bool{}}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.from[host] = true
	}))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

// first are the first visits of a plan.
type first struct {
	load.Plan
	left int
}

// Visit is for one user.
func (f *first) Visit(ctx context.Context, v *load.Visit) error {
	if f.left--; f.left < 0 {
		return load.ErrNobodyLeft
	}
	return f.Plan.Visit(ctx, v)
}

func TestSite_Connections(t *testing.T) {
	t.Parallel()
	for kind, want := range map[load.Connections]int64{"": 1, load.Kept: 1, load.PerVisit: 20, load.PerRequest: 20} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := newCounted(t)
			s := site(t, server.URL)
			s.Connections = kind
			res := run(t, &first{Plan: load.Page{Site: s}, left: 20}, load.Options{Users: 1, For: time.Hour})
			if res.Visits.Done != 20 || server.connections.Load() != want {
				t.Errorf("%d visits over %d connections, want 20 over %d", res.Visits.Done, server.connections.Load(), want)
			}
		})
	}
}

// Visits come from the addresses of a network in turn.
func TestSite_From(t *testing.T) {
	t.Parallel()
	server := newCounted(t)
	s := site(t, server.URL)
	s.Connections, s.From = load.PerVisit, netip.MustParsePrefix("127.9.0.0/30")
	res := run(t, load.Page{Site: s}, load.Options{Groups: []load.Group{{Threads: 12}}})
	if res.Visits.Done != 12 || len(server.from) != 4 || !server.from["127.9.0.1"] {
		t.Errorf("%+v came from %v, want 4 addresses of 127.9.0.0/30", res.Visits, server.from)
	}
}

// A kept connection that the server has closed meanwhile is no failure.
func TestSite_KeptConnectionClosedByServer(t *testing.T) {
	t.Parallel()
	server := newCounted(t)
	s := site(t, server.URL)
	plan := load.Page{Site: s}
	for range 3 {
		res := run(t, plan, load.Options{Groups: []load.Group{{Threads: 4, RampUp: 20 * time.Millisecond}}})
		if res.Visits.Done != 4 {
			t.Fatalf("visits are %+v with %+v", res.Visits, res.Errors)
		}
		server.CloseClientConnections()
	}
}
