package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// engineStart and engineStop are how long an engine may take.
	engineStart = time.Minute
	engineStop  = time.Minute
	// minAPI is that of Docker 20.10.
	minAPI = 41
)

// engine is the one of this machine, or the lab's own.
type engine struct {
	docker docker
	path   string // PATH with the docker command that fits
	own    bool   // started by a lab: by this one, or by one that was killed
}

// openEngine returns the engine that answers, or starts one.
func openEngine(ctx context.Context) (*engine, error) {
	d, err := findDocker()
	if err != nil {
		return nil, err
	}
	path, err := d.path()
	if err != nil {
		return nil, err
	}
	if err := checkVersion(ctx, d); err == nil || errors.Is(err, errTooOld) {
		return &engine{docker: d, path: path}, err
	}
	own := &engine{docker: d.at("unix://" + ownFile("docker.sock")), path: path, own: true}
	if err := checkVersion(ctx, own.docker); err == nil || errors.Is(err, errTooOld) {
		return own, err
	}
	return own, step("no Docker engine answers: starting one", func() error { return own.start(ctx) })
}

// execRoot is where the lab's own engine keeps what does not outlive the machine.
const execRoot = "/run/matriq-lab"

// ownFile is a file of the lab's own engine.
func ownFile(name string) string { return filepath.Join(home, "engine", name) }

var errTooOld = errors.New("this Docker is older than 20.10: install a newer one")

// checkVersion asks the engine for its version, and fails if it does not answer or
// is too old.
func checkVersion(ctx context.Context, d docker) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	version, err := d.run(ctx, "version", "--format", "{{.Server.APIVersion}}")
	if err != nil {
		return err
	}
	_, minor, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(minor); err != nil || n < minAPI {
		return errTooOld
	}
	return nil
}

// start runs dockerd with all its files in the lab's folder. It ends with the
// test program, or else by stop.
func (e *engine) start(ctx context.Context) error {
	binary, err := lookSystem("dockerd")
	if err != nil {
		return err
	}
	if err := e.awaitEnd(ctx); err != nil { // it ends a while after the test program that was killed
		return err
	}
	if err := forget(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(ownFile("data"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(ownFile("daemon.json"), []byte("{}"), 0o600); err != nil {
		return err
	}
	log, err := os.Create(ownFile("log"))
	if err != nil {
		return err
	}
	defer log.Close()           // the child has its own descriptor
	cmd := exec.Command(binary, //nolint:gosec,noctx // G204: it outlives ctx, and ends by stop
		"--host", e.docker.host, "--config-file", ownFile("daemon.json"), "--pidfile", ownFile("pid"),
		"--data-root", ownFile("data"), "--exec-root", execRoot)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := startBeside(cmd); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // stop and the log tell how it ended
	if err := e.await(ctx); err != nil {
		return err
	}
	return removeTasks(ctx, e.docker)
}

// lookSystem finds a program that may be in a folder that only root has on PATH.
func lookSystem(name string) (string, error) {
	for _, path := range []string{"/usr/sbin/" + name, "/sbin/" + name, name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: run tools/install swarm, as root", name)
}

// await waits until the engine answers.
func (e *engine) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineStart)
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, func(ctx context.Context) error { return checkVersion(ctx, e.docker) })
	if err != nil {
		return fmt.Errorf("dockerd does not answer; %s tells why: %w", ownFile("log"), err)
	}
	return nil
}

// stop ends the engine if it is the lab's own.
func (e *engine) stop(ctx context.Context) error {
	if !e.own {
		return nil
	}
	pid, running := e.process()
	if !running {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end dockerd (process %d): %w", pid, err)
	}
	return e.awaitEnd(ctx)
}

// awaitEnd waits until the engine's process is gone.
func (e *engine) awaitEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineStop)
	defer cancel()
	return poll(ctx, 200*time.Millisecond, func(context.Context) error {
		if pid, running := e.process(); running {
			return fmt.Errorf("dockerd (process %d) does not end", pid)
		}
		return nil
	})
}

// process is the engine's, as long as it runs.
func (e *engine) process() (pid int, running bool) {
	text, err := os.ReadFile(ownFile("pid"))
	if err != nil {
		return 0, false // dockerd removes it when it ends
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return pid, err == nil && strings.TrimSpace(string(name)) == "dockerd"
}
