package monitoring_test

import (
	"testing"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// edges are an edge for visitors, and one with a site of its own and its
// certificate, which nobody visits.
type edges struct{ visited, secure harness.DeployedEdge }

func startEdges(t *testing.T, binary string, s *harness.Suite) edges {
	t.Helper()
	own := map[string]string{"EDGE_SITE": "localhost", "EDGE_TLS": "internal"}
	return edges{
		visited: harness.StartEdge(t, binary, testenv.Addr(t), s.Behind(t), nil),
		secure:  harness.StartEdge(t, binary, testenv.Addr(t), s.Behind(t), own),
	}
}
