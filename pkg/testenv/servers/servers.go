// Package servers runs RabbitMQ, MariaDB and Redis for tests: private instances
// on free loopback ports, with their data in a temporary folder, from the
// binaries that Debian installs. They need no container and no privilege, run as
// root and as anybody else, and touch no service of the machine.
//
// Nothing stays behind, whatever happens: an instance dies with the process that
// started it, by the kernel's hand, and [Folder] takes the data away.
//
// Linux only. Not promised: durability across a crash of the machine; the disk is
// not asked to sync.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrNotInstalled tells that the machine lacks a server's binary; the error that
// wraps it says how to install it.
var ErrNotInstalled = errors.New("not installed")

const (
	startTimeout = 90 * time.Second // RabbitMQ takes 5 s alone, much more beside a full build
	stopTimeout  = 30 * time.Second
	pollInterval = 20 * time.Millisecond
)

// Instance is one server. Its address and its data stay the same over stops and
// starts. It is not for concurrent use.
type Instance struct {
	// Name is the server's: "rabbitmq", "mariadb" or "redis".
	Name string
	// URL is how a client reaches it: an AMQP URL, a Redis URL, or a DSN of
	// go-sql-driver without a schema.
	URL string
	// API is the base URL of RabbitMQ's management API, with the credentials.
	API string

	ports   *ports
	command command
	// companion runs from the first start to the end: epmd, for RabbitMQ.
	companion *command
	// prepare makes the data folder before the first start.
	prepare func(ctx context.Context) error
	// control runs the server's own command-line tool; RabbitMQ has one.
	control func(ctx context.Context, args ...string) (string, error)
	// probe returns nil when a client would be served.
	probe func(ctx context.Context) error

	prepared bool
	running  *process
	beside   *process
}

// Control runs rabbitmqctl with args on a running broker and returns what it
// says.
func (i *Instance) Control(ctx context.Context, args ...string) (string, error) {
	if i.control == nil {
		return "", fmt.Errorf("%s has no command-line tool here", i.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return i.control(ctx, args...)
}

// Add puts arguments behind those of the server's command line, where MariaDB and
// Redis let them win over what the instance has. They count from the next start.
func (i *Instance) Add(args ...string) { i.command.args = append(i.command.args, args...) }

// PIDs are the processes that run for the instance: the server's and, of
// RabbitMQ, the port mapper's.
func (i *Instance) PIDs() []int {
	var pids []int
	for _, p := range []*process{i.running, i.beside} {
		if p != nil {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// Start starts the instance and returns when it serves.
func (i *Instance) Start(ctx context.Context) error {
	if i.running != nil {
		return fmt.Errorf("start %s: it runs already", i.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := i.launch(ctx); err != nil {
		return fmt.Errorf("start %s: %w", i.Name, err)
	}
	if err := i.await(ctx); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w; the end of its log:\n%s", i.Name, err, tail(i.command.log)), i.Kill())
	}
	return nil
}

func (i *Instance) launch(ctx context.Context) (err error) {
	if !i.prepared && i.prepare != nil {
		if err := i.prepare(ctx); err != nil {
			return err
		}
	}
	i.prepared = true
	if i.companion != nil && i.beside == nil {
		if i.beside, err = i.companion.start(); err != nil {
			return err
		}
	}
	i.running, err = i.command.start()
	return err
}

// await polls the probe until it succeeds, the process ends, or ctx does.
func (i *Instance) await(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if i.running.exited() {
			return errors.New("it exited")
		}
		err := i.probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// Stop asks the instance to stop and waits for it.
func (i *Instance) Stop() error {
	return i.end(syscall.SIGTERM)
}

// Kill ends the instance at once, as a crash does.
func (i *Instance) Kill() error {
	return i.end(syscall.SIGKILL)
}

func (i *Instance) end(signal syscall.Signal) error {
	if i.running == nil {
		return nil
	}
	err := i.running.end(signal, stopTimeout)
	i.running = nil
	if err != nil {
		return fmt.Errorf("end %s: %w", i.Name, err)
	}
	return nil
}

// Pause freezes the instance: its connections stay open and nothing answers.
func (i *Instance) Pause() error { return i.signal(syscall.SIGSTOP) }

// Resume ends a [Instance.Pause].
func (i *Instance) Resume() error { return i.signal(syscall.SIGCONT) }

func (i *Instance) signal(signal syscall.Signal) error {
	if i.running == nil {
		return fmt.Errorf("%s does not run", i.Name)
	}
	return i.running.signal(signal)
}

// Close kills the instance and all that belongs to it.
func (i *Instance) Close() error {
	err := errors.Join(i.Kill(), i.ports.release())
	if i.beside != nil {
		err = errors.Join(err, i.beside.end(syscall.SIGKILL, stopTimeout))
		i.beside = nil
	}
	return err
}

// tail returns the end of a log file, for an error.
func tail(path string) string {
	const most = 4000
	text, err := os.ReadFile(path) //nolint:gosec // G304: a file of our own folder
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
