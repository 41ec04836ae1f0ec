// Package stand is what the bench measures on: servers of its own, the seven
// services as processes of their own, and helpers in further processes, all on
// loopback and none with the race detector.
//
// The servers are the machine's RabbitMQ, Redis and MariaDB with fresh data in a
// temporary folder. Where it matters for durability, and so for speed, their
// settings are those of the deployed stack; see [Settings].
//
// Every process that is started here has a name, so that the time it uses can be
// told apart, and ends with [Stand.Close] or with the bench.
package stand

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"matriq/bench/child"
	"matriq/bench/procfs"
	"matriq/pkg/testenv/servers"
)

// Setting is one that is pinned, for the report.
type Setting struct{ Server, Setting, Why string }

// Settings are what the servers have beyond their defaults.
func Settings() []Setting {
	return []Setting{
		{"mariadb", "innodb_flush_log_at_trx_commit=1", "as in the stack: a commit is on the disk"},
		{"mariadb", "innodb_doublewrite=1", "its default, as in the stack"},
		{"mariadb", "innodb_buffer_pool_size=256M", "room for a million students"},
		{"mariadb", "skip_log_bin", "unlike the stack, where the binary log is on a volume of its own"},
		{"redis", "appendonly yes, appendfsync everysec", "as in the stack"},
		{"rabbitmq", "raft.wal_max_size_bytes=16777216", "a smaller log than the stack's 64 MiB, so that a run sees it rolled over"},
		{"rabbitmq", "log level warning", "as little as the stack's"},
	}
}

// Stand has the servers that were asked for, and all processes.
type Stand struct {
	// Dir is where the stand keeps its files; it goes with the stand.
	Dir string
	// Profiles is a folder for a CPU profile of every helper and program; "": none.
	Profiles string

	folder  *servers.Folder
	started map[string]*servers.Instance // by the server's name
	suites  int                          // how many were started

	mu       sync.Mutex
	names    procfs.Names
	children []*child.Child
	programs []*Program
}

// New makes an empty stand; each server starts when it is first asked for.
func New() (*Stand, error) {
	if err := servers.Installed(); err != nil {
		return nil, err
	}
	folder, err := servers.NewFolder()
	if err != nil {
		return nil, err
	}
	return &Stand{
		Dir: folder.Path, folder: folder, started: map[string]*servers.Instance{},
		names: procfs.Names{os.Getpid(): "driver"},
	}, nil
}

// Names are the processes of the stand.
func (s *Stand) Names() procfs.Names {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.names)
}

// PID returns the process with a name, 0 if there is none.
func (s *Stand) PID(name string) int {
	for pid, named := range s.Names() {
		if named == name {
			return pid
		}
	}
	return 0
}

func (s *Stand) name(name string, pids ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range pids {
		s.names[pid] = name
	}
}

// AMQP is the URL of RabbitMQ.
func (s *Stand) AMQP(ctx context.Context) (string, error) {
	instance, err := s.server(ctx, "rabbitmq", servers.RabbitMQ)
	if err != nil {
		return "", err
	}
	return instance.URL, nil
}

// AMQPAPI is the URL of RabbitMQ's management API, with the credentials.
func (s *Stand) AMQPAPI(ctx context.Context) (string, error) {
	instance, err := s.server(ctx, "rabbitmq", servers.RabbitMQ)
	if err != nil {
		return "", err
	}
	return instance.API, nil
}

// Redis is the URL of Redis.
func (s *Stand) Redis(ctx context.Context) (string, error) {
	instance, err := s.server(ctx, "redis", servers.Redis, "--appendfsync", "everysec")
	if err != nil {
		return "", err
	}
	return instance.URL, nil
}

// MariaDB is the DSN of MariaDB, without a schema.
func (s *Stand) MariaDB(ctx context.Context) (string, error) {
	instance, err := s.server(ctx, "mariadb", servers.MariaDB,
		"--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--innodb-buffer-pool-size=256M")
	if err != nil {
		return "", err
	}
	return instance.URL, nil
}

// server returns a server that runs, with args behind those that it has.
func (s *Stand) server(ctx context.Context, name string, prepare func(context.Context, *servers.Folder) (*servers.Instance, error), args ...string) (*servers.Instance, error) {
	if instance, ok := s.started[name]; ok {
		return instance, nil
	}
	instance, err := prepare(ctx, s.folder)
	if err != nil {
		return nil, err
	}
	instance.Add(args...)
	s.started[name] = instance
	if err := instance.Start(ctx); err != nil {
		return nil, err
	}
	s.name(name, instance.PIDs()...)
	return instance, nil
}

// Child starts a helper in a role; name is what its time counts under.
func (s *Stand) Child(role, name string) (*child.Child, error) {
	c, err := child.Start(role, s.Profiles)
	if err != nil {
		return nil, err
	}
	s.name(name, c.PID())
	s.children = append(s.children, c)
	return c, nil
}

// Rest ends the helpers and the programs; the servers go on for the next row.
func (s *Stand) Rest() error {
	var errs []error
	for _, c := range s.children {
		if err := c.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Role, err))
		}
	}
	for _, p := range s.programs {
		if err := p.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	s.children, s.programs = nil, nil
	return errors.Join(errs...)
}

// Close ends everything and removes what it left.
func (s *Stand) Close() error {
	errs := []error{s.Rest()}
	for _, instance := range s.started {
		errs = append(errs, instance.Close())
	}
	return errors.Join(append(errs, s.folder.Remove())...)
}
