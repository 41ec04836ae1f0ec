package ui

import (
	"context"
	"errors"
	"net"
	"time"

	"matriq/pkg/deadpeer"
)

// replicaTimeout is how long one replica is tried before the next: one whose
// machine died has its address in DNS for a while.
const replicaTimeout = time.Second

// dial connects to one of the replicas behind a name. Go's own dialer would
// spend its whole time on the first of them. When the replica's machine dies, its
// requests are repeated elsewhere after the [deadpeer.Patience].
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	replicas, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return dialEach(ctx, network, port, replicas)
}

// dialEach tries each replica once.
func dialEach(ctx context.Context, network, port string, replicas []string) (net.Conn, error) {
	dialer := deadpeer.Dialer(replicaTimeout)
	var faults []error
	for _, ip := range replicas {
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(ip, port))
		if err == nil {
			return conn, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}
