// Package rpctest helps to test what calls and serves through package rpc:
// [Loopback] serves routes without a broker, and [Conformance] holds every
// transport to the same behaviour.
package rpctest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"matriq/pkg/rpc"
)

// Loopback serves routes on a broker in memory until the test ends, and returns
// a connection to call and cast to them. It works inside testing/synctest. Log
// lines go to the test's output.
func Loopback(t testing.TB, routes ...rpc.Route) *rpc.Conn {
	t.Helper()
	return Serve(t, rpc.NewMemoryBroker(), rpc.Options{Service: "loopback"}, routes...)
}

// Serve is [Loopback] on a broker of the test's own, for those that inject
// faults or need options.
func Serve(t testing.TB, b *rpc.MemoryBroker, o rpc.Options, routes ...rpc.Route) *rpc.Conn {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	serving := make(chan struct{}, 1)
	o.OnServe = func() { serving <- struct{}{} }
	conn := b.Connect(o)
	stop, ended := start(t, conn, routes)
	t.Cleanup(func() {
		stop()
		<-ended
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	select {
	case <-serving:
	case <-ended:
	}
	return conn
}

// start serves in a goroutine of its own; ended closes when that has returned.
func start(t testing.TB, conn *rpc.Conn, routes []rpc.Route) (stop context.CancelFunc, ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := conn.Serve(ctx, routes...); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	return cancel, done
}

// patience bounds every wait of this package for something that must happen.
const patience = 20 * time.Second
