//go:build unix

package rpc

import (
	"errors"
	"net"
	"syscall"
)

// offer writes to a socket what it takes at once, and never waits. It has room for
// one write, so that a write needs no objects.
type offer struct {
	raw syscall.RawConn
	one *offered
}

type offered struct {
	bytes []byte
	taken int
	err   error
	do    func(fd uintptr)
}

// newOffer makes offers to conn, if it is a socket.
func newOffer(conn net.Conn) offer {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return offer{}
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return offer{}
	}
	one := &offered{}
	one.do = func(fd uintptr) { one.taken, one.err = syscall.Write(int(fd), one.bytes) }
	return offer{raw: raw, one: one}
}

// write returns how much of b the socket has taken: perhaps nothing.
func (o offer) write(b []byte) (int, error) {
	if o.raw == nil {
		return 0, nil
	}
	o.one.bytes = b
	err := o.raw.Control(o.one.do) // which waits for nobody, as Write of a RawConn would
	o.one.bytes = nil
	if err != nil {
		return 0, err
	}
	switch {
	case o.one.err == nil:
		return o.one.taken, nil
	case errors.Is(o.one.err, syscall.EAGAIN), errors.Is(o.one.err, syscall.EINTR):
		return 0, nil
	}
	return 0, o.one.err
}
