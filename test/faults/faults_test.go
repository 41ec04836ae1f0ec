// Package faults proves the guarantees of package rpc against a RabbitMQ that is
// killed, restarted, frozen and starved, and a network that cuts, stalls and
// forgets. Each file has the faults of one place.
//
// The tests take minutes and share the process, so none is parallel.
package faults_test

import (
	"testing"

	"matriq/test/faults/faultkit"
)

func TestMain(m *testing.M) { faultkit.Main(m, roles()) }

// roles are the programs that are killed.
func roles() map[string]faultkit.Role {
	return map[string]faultkit.Role{replicaRole: serveReplica, holderRole: holder}
}
