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
	t        testing.TB
	instance *servers.Instance
}

// Broker starts a private RabbitMQ. Starting takes seconds: one test may well
// look at several faults.
func Broker(t testing.TB) *Server {
	t.Helper()
	return private(t, servers.RabbitMQ)
}

// MariaDBServer starts a private MariaDB, with an empty schema.
func MariaDBServer(t testing.TB) *Server {
	t.Helper()
	s := private(t, servers.MariaDB)
	if err := execute(t.Context(), s.instance.URL, "CREATE DATABASE test CHARACTER SET utf8mb4"); err != nil {
		t.Fatalf("create schema: %v", err)
	}
	s.instance.URL += "test"
	return s
}

// RedisServer starts a private Redis.
func RedisServer(t testing.TB) *Server {
	t.Helper()
	return private(t, servers.Redis)
}

func private(t testing.TB, prepare prepare) *Server {
	t.Helper()
	wanted(t)
	folder, err := sharedFolder()
	if err != nil {
		t.Fatal(err)
	}
	instance, err := prepare(t.Context(), folder)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		if err := instance.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &Server{t: t, instance: instance}
	s.Start()
	return s
}

// URL is how a client reaches the server, the same over stops and starts: an AMQP
// URL, a Redis URL, or a DSN.
func (s *Server) URL() string { return s.instance.URL }

// API is the base URL of a broker's management API, with credentials.
func (s *Server) API() string { return s.instance.API }

// Start starts the server after a [Server.Stop] or [Server.Kill], with the data
// it had, and returns when it serves.
func (s *Server) Start() {
	s.t.Helper()
	s.must(s.instance.Start(context.WithoutCancel(s.t.Context())))
}

// Stop asks the server to stop and waits for it.
func (s *Server) Stop() {
	s.t.Helper()
	s.must(s.instance.Stop())
}

// Kill ends the server with SIGKILL, as a crash does.
func (s *Server) Kill() {
	s.t.Helper()
	s.must(s.instance.Kill())
}

// Restart is [Server.Stop] and [Server.Start].
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.Start()
}

// Pause freezes the server: connections stay open and nothing answers.
func (s *Server) Pause() {
	s.t.Helper()
	s.must(s.instance.Pause())
}

// Resume ends a [Server.Pause].
func (s *Server) Resume() {
	s.t.Helper()
	s.must(s.instance.Resume())
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
