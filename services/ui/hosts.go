package ui

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// hosts are the names that the site goes by, whatever the port.
type hosts struct {
	names map[string]bool
	// local is true for a site on this machine: it goes by any of its names.
	local bool
}

func newHosts(cfg Config) hosts {
	public := hostName(cfg.origin().Host)
	h := hosts{names: map[string]bool{public: true}, local: isLoopback(public)}
	for _, allowed := range cfg.AllowedHosts {
		h.names[hostName(strings.TrimSpace(allowed))] = true
	}
	return h
}

// allow tells whether a Host header names the site.
func (h hosts) allow(host string) bool {
	name := hostName(host)
	return h.names[name] || h.local && isLoopback(name)
}

// isLoopback is true for a host name that can only mean this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// hostName is a Host header without its port, in lower case. What is no port
// stays, so that no allowed name comes out of it.
func hostName(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			host = name
		}
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}
