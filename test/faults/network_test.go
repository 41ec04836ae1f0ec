package faults_test

import (
	"context"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

const (
	// noticed bounds how long a program takes a dead connection for a live one
	// when it writes nothing; writeNoticed, when it does.
	noticed      = 30 * time.Second
	writeNoticed = 5 * time.Second
	// slack is for a machine that does other things as well.
	slack = 500 * time.Millisecond
)

// A TCP connection that is open for one side alone, in either direction or both,
// or that the network has forgotten: all programs on it notice, the call that
// waits is told, and traffic flows over new connections.
func TestNetwork_HalfOpen(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	began, finish := make(chan struct{}, 100), make(chan struct{})
	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{After: func(ctx context.Context, e faultkit.Entry) error {
		if e.Key[:4] != "held" {
			return nil
		}
		began <- struct{}{}
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}))
	caller := k.Connect("caller")
	both := []faultkit.Direction{faultkit.FromClient, faultkit.FromBroker}
	for name, strike := range map[string]func(){ //nolint:paralleltest // one fault at a time
		"nothing reaches the broker": func() { k.Proxy.Stall(faultkit.FromClient) },
		"nothing leaves the broker":  func() { k.Proxy.Stall(faultkit.FromBroker) },
		"nothing passes":             func() { k.Proxy.Stall(both...) },
		"the flow is forgotten":      func() { k.Proxy.Drop(both...) },
	} {
		t.Run("idle, "+name, func(t *testing.T) {
			outcome := make(chan error, 1)
			go func() {
				_, err := k.Ledger.Touch(t.Context(), caller, "held "+name)
				outcome <- err
			}()
			<-began
			lost := worker.Metric(t, "connections_lost_total")
			struck := time.Now()
			strike()
			err := <-outcome
			told := time.Since(struck)
			if rpc.ReasonOf(err) != "connection_lost" || faultkit.RanOf(err) != rpc.RanMaybe || told > noticed {
				t.Errorf("the call: %v, ran %q, after %v; want connection_lost, maybe, within %v", err, faultkit.RanOf(err), told, noticed)
			}
			faultkit.Eventually(t, "the worker notices", noticed-told, func() bool { return worker.Metric(t, "connections_lost_total") > lost })
			t.Logf("the caller noticed after %v, the worker after %v", told, time.Since(struck))
			checkTraffic(t, k, caller, "idle, "+name)
		})
		t.Run("writing, "+name, func(t *testing.T) {
			strike()
			struck := time.Now()
			recorded := make(chan error, 1)
			go func() { recorded <- k.Ledger.Record(t.Context(), caller, "cast "+name) }()
			_, err := k.Ledger.Touch(t.Context(), caller, "call "+name)
			told := time.Since(struck)
			if rpc.ReasonOf(err) != "connection_lost" || faultkit.RanOf(err) != rpc.RanMaybe || told > writeNoticed+slack {
				t.Errorf("the call: %v, ran %q, after %v; want connection_lost, maybe, within %v", err, faultkit.RanOf(err), told, writeNoticed)
			}
			t.Logf("the caller noticed after %v", told)
			if err := <-recorded; err != nil {
				t.Errorf("the cast: %v; want that it was sent again", err)
			}
			checkTraffic(t, k, caller, "writing, "+name)
		})
	}
	close(finish)
	faultkit.Eventually(t, "every cast is done", 30*time.Second, func() bool { return k.Ledger.Balanced(t) })
}

// checkTraffic sees calls answered again by a worker on sound connections.
func checkTraffic(t *testing.T, k *faultkit.Kit, caller *faultkit.Peer, after string) {
	t.Helper()
	took := faultkit.Eventually(t, "traffic flows", noticed, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := k.Ledger.Insert(ctx, caller, "after "+after)
		return err == nil
	})
	t.Logf("traffic flowed %v later", took)
}
