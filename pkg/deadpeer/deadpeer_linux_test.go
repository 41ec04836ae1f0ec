package deadpeer_test

import (
	"io"
	"net"
	"testing"
	"time"

	"matriq/pkg/deadpeer"
	"matriq/pkg/testenv"
)

// Who waits for an answer and who waits for anything at all learn in time that
// nobody is there any more.
func TestDialer_NoticesDeath(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{"who has asked": "alive?\n", "who only listens": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			testenv.Deafen(t, conn)
			begun := time.Now()
			if _, err := io.WriteString(conn, says); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Fatal("a machine without power has answered")
			}
			if took := time.Since(begun); took > 2*deadpeer.Patience {
				t.Errorf("noticed after %v", took)
			}
		})
	}
}

// A peer that lives and says nothing is waited for.
func TestDialer_WaitsForWhoLives(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	if err := conn.SetReadDeadline(time.Now().Add(2 * deadpeer.Patience)); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() { //nolint:errorlint // as the net package returns it
		t.Errorf("ended with %v", err)
	}
}

// connect returns a connection to somebody who takes it and says nothing.
func connect(t *testing.T) net.Conn {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		if conn, err := listener.Accept(); err == nil {
			<-t.Context().Done()
			_ = conn.Close()
		}
	}()
	conn, err := deadpeer.Dialer(time.Second).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
