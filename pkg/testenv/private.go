package testenv

import (
	"context"
	"testing"

	"matriq/pkg/testenv/servers"
)

// Server is a server that one test has for itself, to stop, kill and freeze as it
// likes. Its methods end the test when they fail, and so belong to the test's own
// goroutine. It goes with the test.
type Server struct {
	tb       testing.TB
	instance *servers.Instance
}

// Broker starts a private RabbitMQ. Starting takes seconds: one test may well
// look at several faults.
func Broker(tb testing.TB) *Server {
	tb.Helper()
	return private(tb, servers.RabbitMQ)
}

// MariaDBServer starts a private MariaDB, with an empty schema.
func MariaDBServer(tb testing.TB) *Server {
	tb.Helper()
	s := private(tb, servers.MariaDB)
	if err := execute(tb.Context(), s.instance.URL, "CREATE DATABASE test CHARACTER SET utf8mb4"); err != nil {
		tb.Fatalf("create schema: %v", err)
	}
	s.instance.URL += "test"
	return s
}

// RedisServer starts a private Redis.
func RedisServer(tb testing.TB) *Server {
	tb.Helper()
	return private(tb, servers.Redis)
}

func private(tb testing.TB, prepare prepare) *Server {
	tb.Helper()
	wanted(tb)
	folder, err := sharedFolder()
	if err != nil {
		tb.Fatal(err)
	}
	instance, err := prepare(tb.Context(), folder)
	if err != nil {
		unavailable(tb, err)
	}
	tb.Cleanup(func() {
		if err := instance.Close(); err != nil {
			tb.Error(err)
		}
	})
	s := &Server{tb: tb, instance: instance}
	s.Start()
	return s
}

// URL is how a client reaches the server, the same over stops and starts: an AMQP
// URL, a Redis URL, or a DSN.
func (s *Server) URL() string { return s.instance.URL }

// API is the base URL of a broker's management API, with credentials.
func (s *Server) API() string { return s.instance.API }

// Control runs rabbitmqctl with args on a broker and returns what it says.
func (s *Server) Control(args ...string) string {
	s.tb.Helper()
	out, err := s.instance.Control(context.WithoutCancel(s.tb.Context()), args...)
	s.must(err)
	return out
}

// Settle returns when what was declared at a broker is on its disk. Before that,
// for about two seconds, RabbitMQ has it in memory alone, and forgets the queue
// with its messages when it is killed.
func (s *Server) Settle() {
	s.tb.Helper()
	if got := s.Control("eval", "mnesia:sync_log()."); got != "ok" {
		s.tb.Fatalf("flush the broker's definitions: %s", got)
	}
}

// Start starts the server after a [Server.Stop] or [Server.Kill], with the data
// it had, and returns when it serves.
func (s *Server) Start() {
	s.tb.Helper()
	s.must(s.instance.Start(context.WithoutCancel(s.tb.Context())))
}

// Stop asks the server to stop and waits for it.
func (s *Server) Stop() {
	s.tb.Helper()
	s.must(s.instance.Stop())
}

// Kill ends the server with SIGKILL, as a crash does.
func (s *Server) Kill() {
	s.tb.Helper()
	s.must(s.instance.Kill())
}

// Restart is [Server.Stop] and [Server.Start].
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	s.Start()
}

// Pause freezes the server: connections stay open and nothing answers.
func (s *Server) Pause() {
	s.tb.Helper()
	s.must(s.instance.Pause())
}

// Resume ends a [Server.Pause].
func (s *Server) Resume() {
	s.tb.Helper()
	s.must(s.instance.Resume())
}

func (s *Server) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

// Addr returns a loopback address that no other test is given before this one
// ends, and no connection of the machine takes meanwhile.
func Addr(tb testing.TB) string {
	tb.Helper()
	addr, release, err := servers.ClaimAddr(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := release(); err != nil {
			tb.Error(err)
		}
	})
	return addr
}
