package ui

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// noticeDeath ends a connection on which nothing is acknowledged for the
// deathTimeout. The kernel's own patience with what it has sent is a quarter of an
// hour.
func noticeDeath(_, _ string, conn syscall.RawConn) error {
	var refused error
	err := conn.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deathTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return refused
}
