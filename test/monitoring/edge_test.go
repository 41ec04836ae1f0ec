package monitoring_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// edge is the one that is deployed, in front of a suite.
type edge struct {
	pages, register string // URLs
	admin           string // host:port
	// secure is the same of a second edge, which has a site of its own and its
	// certificate; nobody visits it.
	secure string
}

// compileEdge makes the edge as deploy/build does. The first time on a machine
// that compiles Caddy, which takes minutes.
func compileEdge(t *testing.T) (binary string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), deployed(t, "compile"), dir, "edge").CombinedOutput(); err != nil {
		t.Fatalf("compile the edge: %v\n%s", err, out)
	}
	return filepath.Join(dir, "edge")
}

// startEdges runs an edge for visitors, and one with a certificate.
func startEdges(t *testing.T, binary string, s *harness.Suite) edge {
	t.Helper()
	e := startEdge(t, binary, s, nil)
	e.secure = startEdge(t, binary, s, map[string]string{"EDGE_SITE": "localhost", "EDGE_TLS": "internal"}).admin
	return e
}

// startEdge runs the edge with the deployed Caddyfile until the test ends. What
// the swarm's DNS would tell it, a server of the test does.
func startEdge(t *testing.T, binary string, s *harness.Suite, settings map[string]string) edge {
	t.Helper()
	dir, pages, register := t.TempDir(), testenv.Addr(t), testenv.Addr(t)
	e := edge{pages: "http://" + pages, register: "http://" + register, admin: testenv.Addr(t)}
	all := map[string]string{
		"EDGE_CONFIG":                deployed(t, "caddy/Caddyfile"),
		"EDGE_RESOLVER":              serveNames(t),
		"EDGE_LISTEN_HTTP":           port(t, pages),
		"EDGE_LISTEN_HTTPS":          port(t, testenv.Addr(t)),
		"EDGE_LISTEN_REGISTER":       port(t, register),
		"EDGE_LISTEN_OTP":            port(t, testenv.Addr(t)),
		"EDGE_LISTEN_ADMIN":          port(t, e.admin),
		"EDGE_UI_PORT":               port(t, host(t, s.UI.URL)),
		"EDGE_REGISTER_GATEWAY_PORT": port(t, host(t, s.RegisterGateway.URL)),
		"EDGE_OTP_GATEWAY_PORT":      port(t, host(t, s.OTPGateway.URL)),
		"XDG_DATA_HOME":              dir,
		"XDG_CONFIG_HOME":            dir,
	}
	maps.Copy(all, settings)
	process, err := harness.Launch("edge", binary, filepath.Join(dir, "log"), all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Kill()
		if t.Failed() {
			t.Logf("log of the edge:\n%s", process.Log())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := harness.Poll(ctx, func() bool { return healthy(ctx, e.admin) }); err != nil {
		t.Fatalf("the edge is not healthy after %v", patience)
	}
	return e
}

func healthy(ctx context.Context, admin string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // the status is all that is asked for
	return response.StatusCode == http.StatusOK
}

// serveNames is a DNS server for which every name is this machine.
func serveNames(t *testing.T) (addr string) {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerNames(conn)
	}()
	t.Cleanup(func() {
		_ = conn.Close() // ends the server
		<-done
	})
	return conn.LocalAddr().String()
}

func answerNames(conn net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return // closed
		}
		var m dnsmessage.Message
		if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Additionals = true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(answer, from) // who gets none asks again
		}
	}
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func host(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
