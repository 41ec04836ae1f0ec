package stand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
	pollInterval = 20 * time.Millisecond
)

// Program is one of the suite's that runs.
type Program struct {
	Name string
	// HTTP and Admin are its addresses; HTTP is empty where it has none.
	HTTP, Admin string

	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	end  error
}

// Run starts a program with the settings env and no others, and returns when it
// is ready.
func (s *Stand) Run(ctx context.Context, name, binary string, env map[string]string) (*Program, error) {
	p := &Program{
		Name: name, HTTP: env["HTTP_ADDR"], Admin: env["ADMIN_ADDR"],
		log: filepath.Join(s.Dir, name+".log"), done: make(chan struct{}),
	}
	if err := p.start(binary, env); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.name(name, p.cmd.Process.Pid)
	s.programs = append(s.programs, p)
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	if s.Profiles != "" {
		go p.profile(ctx, s.Profiles)
	}
	return p, nil
}

// profile takes profiles of 5 s, one after the other, until the program ends.
func (p *Program) profile(ctx context.Context, folder string) {
	for n := 1; ; n++ {
		body, err := get(ctx, "http://"+p.Admin+"/debug/pprof/profile?seconds=5")
		if err != nil {
			return
		}
		file := filepath.Join(folder, fmt.Sprintf("%s-%d.cpu", p.Name, n))
		if err := os.WriteFile(file, body, 0o600); err != nil {
			return
		}
	}
}

// Command starts a program that ends by itself, with the settings env and no
// others.
func (s *Stand) Command(name, binary string, env map[string]string, args ...string) (*Program, error) {
	p := &Program{Name: name, log: filepath.Join(s.Dir, name+".log"), done: make(chan struct{})}
	if err := p.start(binary, env, args...); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.name(name, p.cmd.Process.Pid)
	return p, nil
}

// Wait waits for the end of a command; when ctx ends first, it is killed.
func (p *Program) Wait(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })()
	<-p.done
	if p.end != nil {
		return fmt.Errorf("%s: %w; the end of its log:\n%s", p.Name, p.end, p.tail())
	}
	return ctx.Err()
}

func (p *Program) start(binary string, env map[string]string, args ...string) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()                     // the child has its own descriptor
	p.cmd = exec.Command(binary, args...) //nolint:gosec,noctx // compiled by the bench; it ends by Stop, or with the bench
	for name, value := range env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.end = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

// PID is the number of its process.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// ready waits until /readyz says so.
func (p *Program) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	last := errors.New("it was not asked yet")
	for {
		select {
		case <-ticker.C:
		case <-p.done:
			return fmt.Errorf("%s has ended: %w; the end of its log:\n%s", p.Name, p.end, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w; the end of its log:\n%s", p.Name, startTimeout, last, p.tail())
		}
		if last = p.ask(ctx); last == nil {
			return nil
		}
	}
}

func (p *Program) ask(ctx context.Context) error {
	_, err := get(ctx, "http://"+p.Admin+"/readyz")
	return err
}

// get returns the body of a good answer; any other is an error that has it.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() // it was only read
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("it says %s", body)
	}
	return body, err
}

// Stop asks the program to stop and waits for it.
func (p *Program) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.done
	if p.end != nil {
		return fmt.Errorf("%w; the end of its log:\n%s", p.end, p.tail())
	}
	return nil
}

// tail is the end of the log.
func (p *Program) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return string(text[max(0, len(text)-most):])
}
