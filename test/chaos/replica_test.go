package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"matriq/test/harness"
)

// replica is one process of a service, over all its lives: the addresses stay
// the same, each life has a log of its own.
type replica struct {
	kind, name, binary, logs string
	env                      map[string]string
	args                     []string
	// mail, when set, gives each life a mail server of its own.
	mail *mailRoom

	mu          sync.Mutex
	lives       []*harness.Process
	mailServers []string // of the lives
}

var errEndedAlone = errors.New("it had ended by itself")

func (r *replica) victim() *victim {
	// Half a second lets a life get beyond the start of its process, and not
	// always to where it is ready.
	return &victim{kind: r.kind, name: r.name, least: 500 * time.Millisecond, start: r.start, kill: r.kill}
}

func (r *replica) start(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mail != nil {
		addr, err := r.mail.open()
		if err != nil {
			return err
		}
		r.env["SMTP_URL"] = "smtp://" + addr + "?tls=none"
		r.mailServers = append(r.mailServers, addr)
	}
	name := fmt.Sprintf("%s-%d", r.name, len(r.lives)+1)
	p, err := harness.Launch(name, r.binary, filepath.Join(r.logs, name+".log"), r.env, r.args...)
	if err != nil {
		return err
	}
	r.lives = append(r.lives, p)
	return nil
}

func (r *replica) kill() error {
	p := r.life()
	defer p.Kill()
	select {
	case <-p.Done():
		return fmt.Errorf("%w:\n%s", errEndedAlone, p.Log())
	default:
		return nil
	}
}

// life returns the process of the current life.
func (r *replica) life() *harness.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lives[len(r.lives)-1]
}
