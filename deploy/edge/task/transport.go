// Package task is Caddy's transport for HTTP with one thing more: it notices within
// seconds that the machine of a task has died.
//
// In a Caddyfile it is "transport task", with all that "transport http" takes. A
// connection on which the other end acknowledges nothing for [Patience] ends, and
// with it the requests on it, which reverse_proxy may then send elsewhere. A task
// that lives and is slow is waited for: its kernel acknowledges.
package task

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"golang.org/x/sys/unix"
)

// Patience is how long a machine may be silent: neither what was sent nor a
// question whether it lives is acknowledged.
const Patience = 3 * time.Second

// Register makes the transport known to Caddy.
func Register() { caddy.RegisterModule(Transport{}) }

// Transport implements the module.
type Transport struct{ reverseproxy.HTTPTransport }

// CaddyModule implements [caddy.Module].
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport.task",
		New: func() caddy.Module { return new(Transport) },
	}
}

// Provision implements [caddy.Provisioner].
func (t *Transport) Provision(ctx caddy.Context) error {
	if err := t.HTTPTransport.Provision(ctx); err != nil {
		return err
	}
	dial := t.Transport.DialContext
	t.Transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := watch(conn); err != nil {
			return nil, errors.Join(reverseproxy.NewDialError(err), conn.Close())
		}
		return conn, nil
	}
	return nil
}

// watch has the kernel end conn when its peer is silent for the Patience. Its own
// patience with what it has sent is a quarter of an hour.
func watch(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	if err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}); err != nil {
		return err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(Patience.Milliseconds()))
	})
	return errors.Join(err, refused)
}
