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
func Loopback(tb testing.TB, routes ...rpc.Route) *rpc.Conn {
	tb.Helper()
	return Serve(tb, rpc.NewMemoryBroker(), rpc.Options{Service: "loopback"}, routes...)
}

// Serve is [Loopback] on a broker of the test's own, for those that inject
// faults or need options.
func Serve(tb testing.TB, b *rpc.MemoryBroker, o rpc.Options, routes ...rpc.Route) *rpc.Conn {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(tb.Output(), nil))
	}
	serving := make(chan struct{}, 1)
	o.OnServe = func() { serving <- struct{}{} }
	conn := b.Connect(o)
	stop, ended := start(tb, conn, routes)
	tb.Cleanup(func() {
		stop()
		<-ended
		if err := conn.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	select {
	case <-serving:
	case <-ended:
	}
	return conn
}

// start serves in a goroutine of its own; ended closes when that has returned.
func start(tb testing.TB, conn *rpc.Conn, routes []rpc.Route) (stop context.CancelFunc, ended <-chan struct{}) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := conn.Serve(ctx, routes...); err != nil {
			tb.Errorf("serve: %v", err)
		}
	}()
	return cancel, done
}

// patience bounds every wait of this package for something that must happen.
const patience = 20 * time.Second
