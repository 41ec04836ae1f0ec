package ui

import (
	"context"
	"errors"
	"net"
	"time"
)

const (
	// replicaTimeout is how long one replica is tried before the next: one whose
	// machine died has its address in DNS for a while.
	replicaTimeout = time.Second
	// deathTimeout is how long a replica's machine may acknowledge nothing, neither
	// what was sent nor a question whether it lives. Then the request is repeated
	// elsewhere; a replica that lives and is slow is waited for.
	deathTimeout = 3 * time.Second
)

// dial connects to one of the replicas behind a name. Go's own dialer would
// spend its whole time on the first of them.
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
	dialer := net.Dialer{
		Timeout:         replicaTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3},
		Control:         noticeDeath,
	}
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
