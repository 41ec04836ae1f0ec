package faults_test

import (
	"context"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

// A broker that is killed while a handler works: the caller knows in half a
// second that the handler may have run, and the same call gets the stored result
// later.
func TestBroker_KilledDuringACall(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	began, finish := make(chan struct{}, 2), make(chan struct{})
	k.Serve(k.Ledger.Routes(faultkit.Hooks{After: func(ctx context.Context, _ faultkit.Entry) error {
		began <- struct{}{}
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}))
	caller := k.Connect("caller")

	outcome := make(chan error, 1)
	go func() {
		_, err := k.Ledger.Touch(t.Context(), caller, "student")
		outcome <- err
	}()
	<-began
	broker.Settle()
	killed := time.Now()
	broker.Kill()
	err := <-outcome
	if took := time.Since(killed); took > 500*time.Millisecond {
		t.Errorf("the caller knew after %v, want under 500ms", took)
	} else {
		t.Logf("the caller knew after %v: %v", took, err)
	}
	if rpc.CodeOf(err) != rpc.Unavailable || faultkit.RanOf(err) != rpc.RanMaybe {
		t.Errorf("outcome %v, ran %q; want unavailable, maybe", err, faultkit.RanOf(err))
	}

	broker.Start()
	close(finish)
	receipt, err := k.Ledger.Insert(t.Context(), caller, "student")
	if err != nil {
		t.Fatalf("the same call after the restart: %v", err)
	}
	if receipt.First || receipt.By == receipt.Token {
		t.Errorf("receipt %+v, want the stored result of the first call", receipt)
	}
}
