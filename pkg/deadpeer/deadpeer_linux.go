package deadpeer

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func noticeDeath(_, _ string, conn syscall.RawConn) error {
	var refused error
	err := conn.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(Patience.Milliseconds()))
	})
	return errors.Join(err, refused)
}
