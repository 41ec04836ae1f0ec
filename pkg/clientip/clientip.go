// Package clientip finds the address of the person behind the proxies.
//
// X-Forwarded-For is a list to which each proxy appends whom it heard from, so
// its right end was written by our own edge and its left end by anybody. Of
// walks it from the right and stops at the first hop that is not one of ours.
// Every other header of the kind is ignored.
//
// Not promised: that the address is a person's. Behind a carrier's or a
// campus's NAT many people share one.
package clientip

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Trusted are the networks whose word on the hop before them is believed. The
// zero value trusts nobody.
type Trusted struct {
	networks []netip.Prefix
}

// Parse reads networks in CIDR form, or single addresses, separated by commas.
// An empty list trusts nobody.
func Parse(list string) (Trusted, error) {
	var t Trusted
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		network, err := parseNetwork(item)
		if err != nil {
			return Trusted{}, fmt.Errorf("%q is no network such as 10.0.0.0/8 or fd00::/8: %w", item, err)
		}
		t.networks = append(t.networks, network)
	}
	return t, nil
}

func parseNetwork(item string) (netip.Prefix, error) {
	if strings.Contains(item, "/") {
		network, err := netip.ParsePrefix(item)
		return network.Masked(), err
	}
	addr, err := netip.ParseAddr(item)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Unmap().Prefix(addr.Unmap().BitLen())
}

// UnmarshalText reads what [Parse] reads, so that a config may have a field of
// this type.
func (t *Trusted) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// Contains tells whether addr is in one of the networks.
func (t Trusted) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, network := range t.networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// Of returns the address that r came from: the peer of the connection, or, when
// that is trusted, the right-most hop of X-Forwarded-For that is not. Where the
// list holds something that is no address, the walk ends at the last good hop.
// IPv4 in IPv6 becomes IPv4. The answer is invalid only for a request that has
// no peer, as one made by hand in a test.
func (t Trusted) Of(r *http.Request) netip.Addr {
	hop := Peer(r)
	if !t.Contains(hop) {
		return hop
	}
	// Several header lines are one list: a proxy may append a line of its own.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && t.Contains(hop); i-- {
		before := parseHop(hops[i])
		if !before.IsValid() {
			return hop
		}
		hop = before
	}
	return hop
}

// Peer returns the address at the other end of r's connection.
func Peer(r *http.Request) netip.Addr { return parseHop(r.RemoteAddr) }

// parseHop reads an address with or without a port and brackets.
func parseHop(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
