// Package suite tests the seven services in one process, under the race
// detector and with an eye on what they leave running.
package suite_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"matriq/cmd/matriq/suite"
	"matriq/test/harness"
)

// Nothing runs on once a suite has ended, but what scs starts with each manager
// for the store in memory that the pages do not use; it cannot be stopped.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"))
}

// running is a suite inside the test program.
type running struct {
	cfg  suite.Config
	stop func() error
}

// run starts a suite with the data folder dir and returns when it is ready.
func run(t *testing.T, dir string) running {
	t.Helper()
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	cfg := suite.Config{
		UI: listen(), OTP: listen(), Register: listen(), Inbox: listen(), Admin: listen(),
		Data: dir, Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- suite.Run(ctx, cfg, func(context.Context) error {
			close(ready)
			return nil
		})
	}()
	r := running{cfg: cfg, stop: sync.OnceValue(func() error {
		cancel()
		return <-ended
	})}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("suite ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("suite ended while it started: %v", err)
	}
	return r
}

func (r running) gateways() harness.Gateways {
	return harness.Gateways{
		OTP: "http://" + r.cfg.OTP.Addr().String(), Register: "http://" + r.cfg.Register.Addr().String(),
		Name: "demo", Password: "demo",
	}
}

func (r running) inbox() harness.Inbox {
	return harness.Inbox("http://" + r.cfg.Inbox.Addr().String())
}

// Twenty people register at once; each gets an ID of her own, and everything
// that follows is done.
func TestSuite_ManyAtOnce(t *testing.T) {
	t.Parallel()
	r := run(t, t.TempDir())
	const people = 20
	ids := make([]int64, people)
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			who, g := fmt.Sprintf("many%d@example.ac.th", i), r.gateways()
			g.Import(t, who)
			g.AskCode(t, who)
			g.Prove(t, who, r.inbox().Code(t, who))
			ids[i] = g.RegisterStudent(t, "Malee", "Jaidee", who)
			g.WaitProgress(t, ids[i])
		})
	}
	all.Wait()
	seen := map[int64]bool{}
	for _, id := range ids {
		if id < 69000001 || seen[id] {
			t.Errorf("student IDs are %v", ids)
		}
		seen[id] = true
	}
}

// A stop in the middle of registrations loses none of those that were told
// "registered".
func TestSuite_StoppedInBetween(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := run(t, dir)
	g := r.gateways()
	const who = "stopped@example.ac.th"
	g.Import(t, who)
	g.AskCode(t, who)
	g.Prove(t, who, r.inbox().Code(t, who))
	id := g.RegisterStudent(t, "Malee", "Jaidee", who)
	begin := time.Now()
	if err := r.stop(); err != nil {
		t.Fatalf("suite ended with %v", err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("stop took %v", took)
	}
	run(t, dir).gateways().WaitProgress(t, id)
}
