// Package faultkit has what the fault tests are made of: a TCP proxy that does to
// a connection what networks and brokers do, a ledger of what callers were told
// against what handlers did, programs that serve and call, in this process or in
// one that can be killed, and the checks that end each test.
//
//	k := faultkit.New(t, testenv.Broker(t))
//	k.Serve(k.Ledger.Routes(faultkit.Hooks{}))
//	caller := k.Connect("caller")
//	receipt, err := k.Ledger.Insert(t.Context(), caller, "key")
//
// A test of this kit is not parallel: the checks look at the whole process.
//
// Not promised: that a fault hits a certain byte. The proxy knows AMQP's frames
// and passes on, holds or drops whole ones.
package faultkit

import (
	"testing"
	"time"

	"matriq/pkg/testenv"
)

// Kit is one test's world: a broker, the proxy in front of it, and a ledger.
// All that it connects goes through the proxy and is closed with the test.
type Kit struct {
	tb     testing.TB
	Broker *testenv.Server
	Proxy  *Proxy
	Ledger *Ledger
}

// New returns a kit for a broker of the test's own. From here on it watches the
// process: after everything is closed it looks for goroutines and heap that
// stayed behind, and at the end of the ledger.
func New(tb testing.TB, broker *testenv.Server) *Kit {
	tb.Helper()
	watch(tb)
	k := &Kit{tb: tb, Broker: broker, Proxy: NewProxy(tb, broker.URL())}
	k.Ledger = newLedger(tb)
	return k
}

// Behind returns the kit with another proxy, for programs whose connections are to
// fare otherwise.
func (k *Kit) Behind(p *Proxy) *Kit {
	other := *k
	other.Proxy = p
	return &other
}

// Eventually polls until ok returns true, and ends the test when it has not after
// the time allowed. It returns how long it took.
func Eventually(tb testing.TB, what string, within time.Duration, ok func() bool) time.Duration {
	tb.Helper()
	begun := time.Now()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("after %v still not: %s", within, what)
		}
	}
	return time.Since(begun)
}

const pollInterval = 5 * time.Millisecond

// During lets a fault last for d, while whatever else the test started goes on.
func During(tb testing.TB, d time.Duration) {
	tb.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-tb.Context().Done():
		tb.Fatal("the test ended during the fault")
	}
}
