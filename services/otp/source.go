package otp

import (
	"net/netip"

	"matriq/pkg/clientip"
)

// Sources are counted by the network that one customer has.
const (
	bitsIPv4 = 32
	bitsIPv6 = 64
)

// networks are those whose requests are not counted by source, such as a
// campus behind one address.
type networks struct{ allowed clientip.Trusted }

func parseNetworks(list string) (networks, error) {
	allowed, err := clientip.Parse(list)
	return networks{allowed: allowed}, err
}

// source returns the network that clientIP is counted under, or "" when it is
// not counted: it is allowed, or the edge did not tell it.
func (n networks) source(clientIP string) string {
	ip, err := netip.ParseAddr(clientIP)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if n.allowed.Contains(ip) {
		return ""
	}
	bits := bitsIPv6
	if ip.Is4() {
		bits = bitsIPv4
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}
