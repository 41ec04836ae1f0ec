package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Who has knocked is let in; who knocks later is not answered.
func TestTurnAway(t *testing.T) {
	t.Parallel()
	before := listening()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket := fdOf(t, l)
	if slices.Contains(before, socket) || !slices.Contains(listening(), socket) {
		t.Fatalf("listening: %v before, %v after %d was opened", before, listening(), socket)
	}
	early, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()

	left := make(chan struct{})
	go func() {
		turnAway(t.Context(), []int{socket})
		close(left)
	}()
	late := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	refused := late()
	for refused == nil { // the filter may not be there yet
		refused = late()
	}
	select {
	case <-left:
		t.Fatal("it leaves while somebody waits to be let in")
	default:
	}
	begun := time.Now()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	<-left
	if took := time.Since(begun); took > spokenWithin+leaveWithin/2 {
		t.Errorf("it left %v after everybody was let in, want %v later at most", took, spokenWithin)
	}
}

// Who was let in before the edge was asked to stop, and speaks after it, is
// answered.
func TestEdge_AnswersWhoIsIn(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.serve(t, "ui", "127.0.0.2", say("ui"))
	get(t, d.pages, "/reg") // the replica is known
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.pages)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := d.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edge lets nobody in any more", func() bool {
		late, err := (&net.Dialer{Timeout: 100 * time.Millisecond}).DialContext(t.Context(), "tcp", d.pages)
		if err == nil {
			_ = late.Close()
		}
		return err != nil
	})
	r := request(t, http.MethodGet, d.pages, "/reg", "")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("answered %s", response.Status)
	}
}

func fdOf(t *testing.T, l net.Listener) (fd int) {
	t.Helper()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		t.Fatalf("%T", l)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(f uintptr) { fd = int(f) }); err != nil {
		t.Fatal(err)
	}
	return fd
}
