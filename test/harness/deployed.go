package harness

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"matriq/pkg/testenv"
)

// DeployedEdge is the edge that is deployed, with its Caddyfile, as a process.
type DeployedEdge struct {
	Pages, OTP, Register, Admin string // host:port
}

// Behind are the ports of 127.0.0.1 that a [DeployedEdge] hands requests to.
type Behind struct{ UI, OTP, Register string }

// Behind are the ports of the suite's own edges, which take the replicas in turn:
// those of a test have a port each, and the deployed edge wants one for all.
func (s *Suite) Behind(t *testing.T) Behind {
	t.Helper()
	port := func(e *Edge) string {
		u, err := url.Parse(e.URL)
		if err != nil {
			t.Fatal(err)
		}
		return u.Port()
	}
	return Behind{UI: port(s.UI), OTP: port(s.OTPGateway), Register: port(s.RegisterGateway)}
}

// CompileEdge makes the edge as deploy/build does. The first time on a machine
// that compiles Caddy, which takes minutes.
func CompileEdge(t *testing.T) (binary string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), deployed(t, "compile"), dir, "edge").CombinedOutput(); err != nil { //nolint:gosec // a script of this repository
		t.Fatalf("compile the edge: %v\n%s", err, out)
	}
	return filepath.Join(dir, "edge")
}

// StartEdge runs an edge until the test ends, at addr for the pages, with settings
// over its own. What the swarm's DNS would tell it, a server of the test does.
func StartEdge(t *testing.T, binary, addr string, b Behind, settings map[string]string) DeployedEdge {
	t.Helper()
	dir := t.TempDir()
	e := DeployedEdge{Pages: addr, OTP: testenv.Addr(t), Register: testenv.Addr(t), Admin: testenv.Addr(t)}
	env := map[string]string{
		"EDGE_CONFIG":                deployed(t, "caddy/Caddyfile"),
		"EDGE_RESOLVER":              serveNames(t),
		"EDGE_LISTEN_HTTP":           Port(t, e.Pages),
		"EDGE_LISTEN_HTTPS":          Port(t, testenv.Addr(t)),
		"EDGE_LISTEN_OTP":            Port(t, e.OTP),
		"EDGE_LISTEN_REGISTER":       Port(t, e.Register),
		"EDGE_LISTEN_ADMIN":          Port(t, e.Admin),
		"EDGE_UI_PORT":               b.UI,
		"EDGE_OTP_GATEWAY_PORT":      b.OTP,
		"EDGE_REGISTER_GATEWAY_PORT": b.Register,
		"XDG_DATA_HOME":              dir,
		"XDG_CONFIG_HOME":            dir,
	}
	maps.Copy(env, settings)
	p, err := Launch("edge", binary, filepath.Join(dir, "log"), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of the edge:\n%s", p.Log())
		}
	})
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := Poll(ctx, func() bool { return e.healthy(ctx) }); err != nil {
		t.Fatalf("the edge is not healthy after %v", patience)
	}
	return e
}

func (e DeployedEdge) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Admin+"/healthz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // the status is all that is asked for
	return res.StatusCode == http.StatusOK
}

// Gateways are those behind the edge.
func (e DeployedEdge) Gateways() Gateways {
	return Gateways{OTP: "http://" + e.OTP, Register: "http://" + e.Register, Name: ClientName, Password: ClientPassword}
}

// Port is that of a host:port.
func Port(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// deployed is a file of deploy, from the folder of a package of test.
func deployed(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(filepath.Join("..", "..", "deploy", path))
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}
