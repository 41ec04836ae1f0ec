package testenv

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Deafen has the kernel let no packet in for conn any more, acknowledgements
// neither: its peer is, from now on, a machine without power.
func Deafen(tb testing.TB, conn net.Conn) {
	tb.Helper()
	sc, ok := conn.(syscall.Conn)
	if !ok {
		tb.Fatalf("a %T has no socket", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
	if err := errors.Join(err, refused); err != nil {
		tb.Fatal(err)
	}
}
