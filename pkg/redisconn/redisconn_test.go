package redisconn_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/redisconn"
)

func TestOpen_Server(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	redis.RequireAuth("pass word")
	client, err := redisconn.Open("redis://:pass%20word@" + redis.Addr() + "/3")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := redis.DB(3).Get("k"); err != nil || got != "v" {
		t.Errorf("database 3 has k = %q, %v; want v", got, err)
	}
}

// The first sentinel is down; the second one names the master.
func TestOpen_Sentinel(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	redis.RequireAuth("secret")
	sentinel := newSentinel(t, "mymaster", redis.Addr())
	client, err := redisconn.Open("redis+sentinel://:secret@" + closedAddr(t) + "," + sentinel + "/mymaster/2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := redis.DB(2).Get("k"); err != nil || got != "v" {
		t.Errorf("database 2 of the master has k = %q, %v; want v", got, err)
	}
}

// A server that takes the connection and says nothing costs no more than the
// caller's patience.
func TestOpen_EndsWithTheContext(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	silent, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	client, err := redisconn.Open("redis://" + silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = client.Ping(ctx).Err()
	if took := time.Since(start); err == nil || took > 1500*time.Millisecond {
		t.Errorf("Ping = %v after %v, want an error soon after 100ms", err, took)
	}
}

func TestOpen_RefusesWithoutRepeatingTheURL(t *testing.T) {
	t.Parallel()
	for name, rawURL := range map[string]string{
		"empty":               "",
		"another scheme":      "http://:hunter2@h",
		"bad database":        "redis://:hunter2@h/x",
		"bad escape":          "redis://:hunter2%zz@h",
		"control character":   "redis://:hunter2\x01@h",
		"unknown parameter":   "redis://:hunter2@h?colour=red",
		"no sentinel":         "redis+sentinel://:hunter2@/mymaster",
		"no master":           "redis+sentinel://:hunter2@h",
		"sentinel's database": "redis+sentinel://:hunter2@h/mymaster/x",
		"sentinel's escape":   "redis+sentinel://:hunter2%zz@h/mymaster",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := redisconn.Open(rawURL)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open = %v, want an error without the password", err)
			}
		})
	}
}

func closedAddr(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// newSentinel speaks as much of a sentinel as a client asks for.
func newSentinel(t *testing.T, master, addr string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ok := func(c *server.Peer, _ string, _ []string) { c.WriteOK() }
	sentinel := func(c *server.Peer, _ string, args []string) {
		switch {
		case strings.EqualFold(args[0], "get-master-addr-by-name") && args[1] == master:
			c.WriteStrings([]string{host, port})
		default:
			c.WriteLen(0)
		}
	}
	for name, cmd := range map[string]server.Cmd{"AUTH": ok, "CLIENT": ok, "SUBSCRIBE": ok, "SENTINEL": sentinel} {
		if err := s.Register(name, cmd); err != nil {
			t.Fatal(err)
		}
	}
	return s.Addr().String()
}

func TestObserve(t *testing.T) {
	t.Parallel()
	client, err := redisconn.Open("redis://" + miniredis.RunT(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	metrics := prometheus.NewRegistry()
	if err := redisconn.Observe(client, metrics); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP matriq_redis_pool_connections Connections to Redis, by whether a command has them.
# TYPE matriq_redis_pool_connections gauge
matriq_redis_pool_connections{state="idle"} 1
matriq_redis_pool_connections{state="used"} 0
# HELP matriq_redis_pool_timeouts_total Commands that failed because no connection was free in time.
# TYPE matriq_redis_pool_timeouts_total counter
matriq_redis_pool_timeouts_total 0
`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
