package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken below Linux's range for outgoing connections: otherwise, while
// a test has a server down, any connection of the machine could take its port.
const (
	firstPort = 15000
	lastPort  = 32000
)

// ports are numbers of 127.0.0.1 that are an instance's own for as long as it
// exists, also while it does not listen.
type ports struct {
	numbers []int
	claims  []net.Listener
}

// claimPorts takes n ports that nobody listens on.
//
// A port is claimed by an abstract socket of its name, which one process at a
// time can have and which goes with it: to listen on the port for a moment and
// let it go would tell nothing of two that start together.
func claimPorts(ctx context.Context, n int) (*ports, error) {
	p := &ports{}
	var config net.ListenConfig
	for range 100 * n {
		if len(p.numbers) == n {
			return p, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // G404: not a secret
		claim, err := config.Listen(ctx, "unix", fmt.Sprintf("@matriq-port-%d", port))
		if err != nil {
			continue
		}
		p.claims = append(p.claims, claim)
		if !served(ctx, port) {
			p.numbers = append(p.numbers, port)
		}
	}
	return nil, errors.Join(errors.New("no free port on 127.0.0.1"), p.release())
}

// ClaimAddr returns an address of 127.0.0.1 that is the caller's own until
// release, for a process that a test starts, stops and starts again.
func ClaimAddr(ctx context.Context) (addr string, release func() error, err error) {
	p, err := claimPorts(ctx, 1)
	if err != nil {
		return "", nil, err
	}
	return loopback(p.numbers[0]), p.release, nil
}

// served tells whether somebody answers on the port.
func served(ctx context.Context, port int) bool {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", loopback(port))
	if err != nil {
		return false
	}
	conn.Close() //nolint:gosec // G104: nothing was sent
	return true
}

func (p *ports) release() error {
	var errs []error
	for _, claim := range p.claims {
		errs = append(errs, claim.Close())
	}
	p.claims = nil
	return errors.Join(errs...)
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
