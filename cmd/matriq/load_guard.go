package main

import (
	"context"
	"fmt"
	"net"

	loading "matriq/pkg/load"
)

// aimAtOwn refuses a host that has an address which is neither loopback nor
// private: it may be a stranger's.
func aimAtOwn(ctx context.Context, flagName, host string) error {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return fmt.Errorf("%s: %w", flagName, err)
	}
	for _, addr := range addrs {
		if !loading.Near(addr) {
			return fmt.Errorf("%s: %s is at %s, which is neither this machine nor a private network. "+
				"Load is an attack unless it is agreed on. If you run this site, or have the word of who does, add --i-may-load-it", flagName, host, addr.Unmap())
		}
	}
	return nil
}
