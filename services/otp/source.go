package otp

import (
	"fmt"
	"net/netip"
	"strings"
)

// Sources are counted by the network that one customer has.
const (
	bitsIPv4 = 32
	bitsIPv6 = 64
)

// networks are those whose requests are not counted by source, such as a
// campus behind one address.
type networks []netip.Prefix

func parseNetworks(list string) (networks, error) {
	var all networks
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		network, err := parseNetwork(entry)
		if err != nil {
			return nil, fmt.Errorf("%q is neither a network nor an address", entry)
		}
		all = append(all, network)
	}
	return all, nil
}

func parseNetwork(entry string) (netip.Prefix, error) {
	if !strings.Contains(entry, "/") {
		ip, err := netip.ParseAddr(entry)
		if err != nil {
			return netip.Prefix{}, err
		}
		return ip.Unmap().Prefix(ip.Unmap().BitLen())
	}
	network, err := netip.ParsePrefix(entry)
	return network.Masked(), err
}

// source returns the network that clientIP is counted under, or "" when it is
// not counted: it is allowed, or the edge did not tell it.
func (n networks) source(clientIP string) string {
	ip, err := netip.ParseAddr(clientIP)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	for _, allowed := range n {
		if allowed.Contains(ip) {
			return ""
		}
	}
	bits := bitsIPv6
	if ip.Is4() {
		bits = bitsIPv4
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}
