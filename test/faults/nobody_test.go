package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

// A call to a service that was never declared fails at once; to one that is
// declared and down, by its deadline, and at once where that is wanted.
func TestNobody_ServesTheCall(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	caller := k.Connect("caller")
	never := rpc.NewMethod[faultkit.Entry, faultkit.Receipt]("never.here", serves)
	worst := slowest(t, 20, func() error {
		_, err := never.Call(t.Context(), caller, faultkit.Entry{})
		return wanted(err, "no_such_service")
	})
	t.Logf("never declared: told after %v at most", worst)
	if worst > atOnce {
		t.Errorf("told after %v, want under %v", worst, atOnce)
	}

	k.Serve(k.Ledger.Routes(faultkit.Hooks{})).Stop(t)
	worst = slowest(t, 20, func() error {
		_, err := faultkit.Touch.Attended().Call(t.Context(), caller, faultkit.Entry{})
		return wanted(err, "unattended")
	})
	t.Logf("declared and down: told after %v at most", worst)
	if worst > atOnce {
		t.Errorf("told after %v, want under %v", worst, atOnce)
	}

	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	_, err := k.Ledger.Touch(ctx, caller, "in vain")
	if took := time.Since(begun); rpc.CodeOf(err) != rpc.DeadlineExceeded || took < deadline || took > deadline+atOnce {
		t.Errorf("%v after %v, want the deadline after %v", err, took, deadline)
	}
	k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
	if _, err := k.Ledger.Touch(t.Context(), caller, "in time"); err != nil {
		t.Error(err)
	}
	if n := k.Ledger.Runs("in vain"); n != 0 {
		t.Errorf("%d runs for a caller that has gone", n)
	}
}

const (
	atOnce   = 50 * time.Millisecond
	deadline = 300 * time.Millisecond
)

// slowest returns how long the slowest of n calls took.
func slowest(t *testing.T, n int, call func() error) time.Duration {
	t.Helper()
	var worst time.Duration
	for range n {
		begun := time.Now()
		if err := call(); err != nil {
			t.Error(err)
		}
		worst = max(worst, time.Since(begun))
	}
	return worst
}

// wanted returns nil when err is an unavailable service of the reason, whose
// handler did not run.
func wanted(err error, reason string) error {
	if rpc.CodeOf(err) != rpc.Unavailable || rpc.ReasonOf(err) != reason || faultkit.RanOf(err) != rpc.RanNo {
		return fmt.Errorf("%w, ran %q; want unavailable (%s), no", err, faultkit.RanOf(err), reason)
	}
	return nil
}
