package faults_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/test/faults/faultkit"
)

// replicaRole serves a ledger as a process of its own: a replica that is started,
// stopped and restarted, or that a message ends.
const replicaRole = "replica"

const servingWord = "replica serves"

// Keys that begin so are poison for a replica that is not mended.
const (
	panicKey = "panic-"
	exitKey  = "exit-"
)

// pace is how long a replica takes over each message that is not poison.
const pace = 20 * time.Millisecond

// replicaDelays let a test see all attempts fail.
func replicaDelays() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}
}

// replica are the arguments of the role.
type replica struct {
	url, ledger string
	arrivals    string // file with a line for each poison that arrived
	mended      bool
}

func (r replica) spawn(t *testing.T) *faultkit.Process {
	t.Helper()
	return faultkit.Spawn(t, replicaRole, r.url, r.ledger, r.arrivals, strconv.FormatBool(r.mended))
}

// start returns a replica that serves.
func (r replica) start(t *testing.T) *faultkit.Process {
	t.Helper()
	p := r.spawn(t)
	faultkit.Eventually(t, "the replica serves", 30*time.Second, func() bool { return p.Said(servingWord) })
	return p
}

func serveReplica(ctx context.Context, args []string) error {
	r := replica{url: args[0], ledger: args[1], arrivals: args[2], mended: args[3] == "true"}
	ledger, err := faultkit.OpenLedger(ctx, r.ledger)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conn, err := rpc.Dial(r.url, rpc.Options{
		Service: "replica", Log: log, RetryDelays: replicaDelays(),
		OnServe: func() { log.Warn(servingWord) },
	})
	if err != nil {
		return errors.Join(err, ledger.Close())
	}
	err = conn.Serve(ctx, ledger.Routes(faultkit.Hooks{Before: r.before})...)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)), ledger.Close())
}

func (r replica) before(ctx context.Context, e faultkit.Entry) error {
	panics, exits := strings.HasPrefix(e.Key, panicKey), strings.HasPrefix(e.Key, exitKey)
	if r.mended || !panics && !exits {
		return wait(ctx, pace)
	}
	if err := r.note(e.Key); err != nil {
		return err
	}
	if exits {
		os.Exit(3)
	}
	panic("a message that its handler does not survive")
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r replica) note(key string) error {
	file, err := os.OpenFile(r.arrivals, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s %d\n", key, time.Now().UnixMilli())
	return errors.Join(err, file.Close())
}

// arrived returns when each poison reached a handler.
func (r replica) arrived(t *testing.T) map[string][]time.Time {
	t.Helper()
	lines, err := os.ReadFile(r.arrivals)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	times := make(map[string][]time.Time)
	for line := range strings.Lines(string(lines)) {
		var key string
		var ms int64
		if _, err := fmt.Sscan(line, &key, &ms); err != nil {
			t.Fatalf("arrival %q: %v", line, err)
		}
		times[key] = append(times[key], time.UnixMilli(ms))
	}
	return times
}
