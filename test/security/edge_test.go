package security_test

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

	"golang.org/x/net/dns/dnsmessage"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// edge is the one that is deployed, with its Caddyfile, in front of replicas.
type edge struct {
	pages, otp, register string // host:port
}

// behind are the ports of 127.0.0.1 that an edge hands requests to.
type behind struct{ ui, otp, register string }

// spread are the harness's edges, which take the replicas in turn: those of a test
// have a port each, and the deployed edge wants one for all.
func (s *system) spread(t *testing.T) behind {
	t.Helper()
	port := func(e *harness.Edge) string {
		u, err := url.Parse(e.URL)
		if err != nil {
			t.Fatal(err)
		}
		return u.Port()
	}
	return behind{ui: port(s.UI), otp: port(s.OTPGateway), register: port(s.RegisterGateway)}
}

// straight are the first replicas themselves, with nobody in between.
func (s *system) straight(t *testing.T) behind {
	t.Helper()
	port := func(service string) string { return portOf(t, s.Replicas(service)[0].HTTP) }
	return behind{ui: port("ui"), otp: port("otp-gateway"), register: port("register-gateway")}
}

// compileEdge makes the edge as deploy/build does. The first time on a machine
// that compiles Caddy, which takes minutes.
func compileEdge(t *testing.T) (binary string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "../../deploy/compile", dir, "edge").CombinedOutput(); err != nil {
		t.Fatalf("compile the edge: %v\n%s", err, out)
	}
	return filepath.Join(dir, "edge")
}

// startEdge runs an edge until the test ends, at addr for the pages, with settings
// over its own.
func startEdge(t *testing.T, binary, addr string, b behind, settings map[string]string) edge {
	t.Helper()
	config, err := filepath.Abs("../../deploy/caddy/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	dir, admin := t.TempDir(), freeAddr(t)
	e := edge{pages: addr, otp: freeAddr(t), register: freeAddr(t)}
	env := map[string]string{
		"EDGE_CONFIG": config, "EDGE_RESOLVER": serveNames(t), "XDG_DATA_HOME": dir, "XDG_CONFIG_HOME": dir,
		"EDGE_LISTEN_HTTP": portOf(t, e.pages), "EDGE_LISTEN_HTTPS": portOf(t, freeAddr(t)), "EDGE_LISTEN_OTP": portOf(t, e.otp),
		"EDGE_LISTEN_REGISTER": portOf(t, e.register), "EDGE_LISTEN_ADMIN": portOf(t, admin),
		"EDGE_UI_PORT": b.ui, "EDGE_OTP_GATEWAY_PORT": b.otp, "EDGE_REGISTER_GATEWAY_PORT": b.register,
	}
	maps.Copy(env, settings)
	p, err := harness.Launch("edge", binary, filepath.Join(dir, "log"), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of the edge:\n%s", p.Log())
		}
	})
	eventually(t, "the edge is healthy", 30*time.Second, func() bool { return healthy(t.Context(), admin) })
	return e
}

func healthy(ctx context.Context, admin string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/healthz", nil)
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

// gateways are those behind the edge.
func (e edge) gateways() harness.Gateways {
	return harness.Gateways{
		OTP: "http://" + e.otp, Register: "http://" + e.register, Name: harness.ClientName, Password: harness.ClientPassword,
	}
}

// serveNames is a name server for which every name is this machine.
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

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// nobody is a port at which nobody listens.
func nobody(t *testing.T) string { t.Helper(); return portOf(t, testenv.Addr(t)) }
