package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command is what is run, again at each start.
type command struct {
	path string
	args []string
	env  []string // the whole environment
	dir  string
	log  string // file that collects its output
}

// process is a child that runs.
//
// It is waited for by polling and without a goroutine of its own, so that a test
// that looks for leaked goroutines finds none here.
type process struct {
	pid  int
	gone bool
}

// start runs the command in a process group of its own, so that a Ctrl-C in the
// terminal reaches the tests and not the servers under them. The kernel kills it
// when the thread that started it ends; the Go runtime ends a thread only with
// the process, or with a goroutine that is locked to it, as no caller's is.
func (c command) start() (*process, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                      // the child has its own descriptor
	cmd := exec.Command(c.path, c.args...) //nolint:gosec,noctx // G204: a server's binary; it outlives any context
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid}
	return p, cmd.Process.Release()
}

// exited tells whether the process has ended, and reaps it.
func (p *process) exited() bool {
	if p.gone {
		return true
	}
	pid, err := syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
	p.gone = pid == p.pid || errors.Is(err, syscall.ECHILD)
	return p.gone
}

// end signals the process group and waits; after patience it kills.
func (p *process) end(signal syscall.Signal, patience time.Duration) error {
	if err := p.signal(signal); err != nil {
		return err
	}
	if p.waitFor(patience) {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.waitFor(patience) {
		return fmt.Errorf("process %d does not end", p.pid)
	}
	return fmt.Errorf("process %d had to be killed after %v", p.pid, patience)
}

func (p *process) signal(signal syscall.Signal) error {
	if p.exited() {
		return nil
	}
	return syscall.Kill(-p.pid, signal)
}

func (p *process) waitFor(patience time.Duration) bool {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if p.exited() {
			return true
		}
	}
	return p.exited()
}

// Installed returns an error that says what is not installed, or nil.
func Installed() error {
	_, rabbit := findRabbitMQ()
	_, maria := findMariaDB()
	_, redis := findRedis()
	return errors.Join(rabbit, maria, redis)
}

// find returns the first of the names that is a program, and otherwise how to
// install it.
func find(debianPackage string, names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w; on Debian, as root: apt-get install %s", names[len(names)-1], ErrNotInstalled, debianPackage)
}
