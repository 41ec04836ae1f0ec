package servers

import (
	"context"
	"errors"
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

// freePorts returns n ports of 127.0.0.1 that nobody listens on. They are not
// held: whoever starts on one must bear losing it.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var ports []int
	var config net.ListenConfig
	for range 100 * n {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // G404: not a secret
		listener, err := config.Listen(ctx, "tcp", loopback(port))
		if err != nil {
			continue
		}
		defer listener.Close() //nolint:errcheck // nothing was sent
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free port on 127.0.0.1")
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
