package rpctest_test

import (
	"testing"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
)

func TestConformance_memory(t *testing.T) {
	t.Parallel()
	rpctest.Conformance(t, func(*testing.T) rpctest.Broker {
		b := rpc.NewMemoryBroker()
		return rpctest.Broker{Connect: b.Connect, Publish: b.Publish, Tap: b.Tap, Cut: b.Restart, Block: b.Block}
	})
}
