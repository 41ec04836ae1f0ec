// Package testenv gives tests real servers, each test a corner of its own: a
// virtual host of RabbitMQ, a schema of MariaDB, a database of Redis. Tests may
// run side by side, in any number of packages, and clean up nothing.
//
// All packages of a run share the servers that MATRIQ_TEST_AMQP_URL and its
// sisters name; cmd/servers starts them, sets the variables and runs a command,
// as make test does. Where a variable is not set, the package starts a private
// server at first use, which ends with the test process.
//
// Where a server is not installed the test skips and says how to install it.
// With TESTENV=required it fails instead, so that a run that must prove
// something cannot pass by skipping; with TESTENV=off every test skips that would
// start or ask a server.
//
// A test that stops or kills a server starts one of its own: [Broker],
// [MariaDBServer], [RedisServer].
package testenv

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"matriq/pkg/testenv/servers"
)

// Variables that name the servers to use; cmd/servers sets them.
const (
	// VarAMQP is an AMQP URL; its virtual host is replaced.
	VarAMQP = "MATRIQ_TEST_AMQP_URL"
	// VarAMQPAPI is the base URL of the same broker's management API, with
	// credentials that may create virtual hosts.
	VarAMQPAPI = "MATRIQ_TEST_AMQP_API"
	// VarRedis is a Redis URL; its database is replaced.
	VarRedis = "MATRIQ_TEST_REDIS_URL"
	// VarMySQL is a DSN of go-sql-driver; its schema is replaced. The user may
	// create schemas.
	VarMySQL = "MATRIQ_TEST_MYSQL_DSN"
)

const cleanupTimeout = 30 * time.Second

// Chromium returns the path of a Chromium or Chrome.
func Chromium(tb testing.TB) string {
	tb.Helper()
	wanted(tb)
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	unavailable(tb, errNoChromium)
	return ""
}

// Prometheus returns the paths of Prometheus and of promtool.
func Prometheus(tb testing.TB) (server, promtool string) {
	tb.Helper()
	wanted(tb)
	for name, path := range map[string]*string{"prometheus": &server, "promtool": &promtool} {
		var err error
		if *path, err = exec.LookPath(name); err != nil {
			unavailable(tb, errNoPrometheus)
		}
	}
	return server, promtool
}

var errNoPrometheus = errors.Join(servers.ErrNotInstalled, errors.New("prometheus; on Debian, as root: apt-get install prometheus"))

var errNoChromium = errors.Join(servers.ErrNotInstalled, errors.New("chromium; on Debian, as root: apt-get install chromium"))

// Installed ends the test unless RabbitMQ, MariaDB and Redis are installed, for a
// test that starts them by other means.
func Installed(tb testing.TB) {
	tb.Helper()
	wanted(tb)
	if err := servers.Installed(); err != nil {
		unavailable(tb, err)
	}
}

// wanted skips the test in a run without servers.
func wanted(tb testing.TB) {
	tb.Helper()
	if os.Getenv("TESTENV") == "off" {
		tb.Skip("TESTENV=off: this test needs a server; make test runs it")
	}
}

// unavailable ends a test whose server cannot be had.
func unavailable(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, servers.ErrNotInstalled) && os.Getenv("TESTENV") != "required" {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// cleanupContext is for what is undone after the test's own context has ended.
func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cleanupTimeout)
}

// The servers of a process that was not given any: started once, at first use,
// by whichever test comes first, and so beyond the life of any test.
var (
	sharedFolder = sync.OnceValues(servers.NewFolder)
	sharedBroker = sync.OnceValues(func() (*servers.Instance, error) { return startShared(servers.RabbitMQ) })
	sharedMaria  = sync.OnceValues(func() (*servers.Instance, error) { return startShared(servers.MariaDB) })
	sharedRedis  = sync.OnceValues(func() (*servers.Instance, error) { return startShared(servers.Redis) })
)

type prepare func(context.Context, *servers.Folder) (*servers.Instance, error)

func startShared(prepare prepare) (*servers.Instance, error) {
	folder, err := sharedFolder()
	if err != nil {
		return nil, err
	}
	instance, err := prepare(context.Background(), folder)
	if err != nil {
		return nil, err
	}
	return instance, instance.Start(context.Background())
}
