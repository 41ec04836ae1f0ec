package ui

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"matriq/pkg/deadpeer"
	"matriq/pkg/testenv"
)

// A machine that dies with requests on its connections costs them the Patience,
// not the time that a slow answer has; then they go to another replica.
func TestGateways_NoticeADeadMachine(t *testing.T) {
	t.Parallel()
	dead, alive := listen(t, "127.0.0.4"), listen(t, "127.0.0.5")
	go diesWithTheFirst(t, dead)
	go func() {
		conn, err := alive.Accept()
		if err == nil {
			answerAll(conn)
		}
	}()
	next := dead.Addr().String()
	g := &Gateways{otp: endpoint{base: url.URL{Scheme: "http", Host: "gateway"}}, timeout: time.Minute}
	g.http = &http.Client{Transport: newTransport(func(ctx context.Context, network, _ string) (net.Conn, error) {
		to := next
		next = alive.Addr().String()
		host, port, err := net.SplitHostPort(to)
		if err != nil {
			return nil, err
		}
		return dialEach(ctx, network, port, []string{host})
	})}
	defer g.Close()
	begun := time.Now()
	_, err := g.once(t.Context(), on{}, call{to: g.otp, method: http.MethodGet, path: "/warm"})
	if err == nil {
		t.Fatal("a machine that died has answered")
	}
	if took := time.Since(begun); took > 3*deadpeer.Patience {
		t.Errorf("noticed after %v: %v", took, err)
	}
	if _, err := g.once(t.Context(), on{}, call{to: g.otp, method: http.MethodGet, path: "/again"}); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func listen(t *testing.T, ip string) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// diesWithTheFirst reads the first byte of a request, and from then on its machine
// lets no packet in, as one without power.
func diesWithTheFirst(t *testing.T, listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := bufio.NewReader(conn).ReadByte(); err != nil {
		t.Error(err)
		return
	}
	testenv.Deafen(t, conn)
}
