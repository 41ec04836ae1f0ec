package otp

import (
	"net/netip"
	"testing"
)

func TestNetworks_source(t *testing.T) {
	t.Parallel()
	allowed, err := parseNetworks(" 158.108.0.0/16, 2001:3c8::/32,203.0.113.7 , ")
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1/32",
		"::ffff:192.0.2.1":     "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::":       "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
		"158.108.4.4":          "",
		"::ffff:158.108.4.4":   "",
		"2001:3c8:9::1":        "",
		"203.0.113.7":          "",
		"203.0.113.8":          "203.0.113.8/32",
		"":                     "",
		"unknown":              "",
		"192.0.2.1:443":        "",
	} {
		if got := allowed.source(ip); got != want {
			t.Errorf("source(%q) = %q, want %q", ip, got, want)
		}
	}
}

func TestParseNetworks_refuses(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"campus", "10.0.0.0/33", "10.0.0.0/8 192.0.2.1", "10.0.0", "/8"} {
		if all, err := parseNetworks(list); err == nil {
			t.Errorf("%q is %v", list, all)
		}
	}
}

// Whatever the edge tells, a source is a network of the right size that has the
// address.
func FuzzNetworks_source(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0", "1.2.3.4/8", "::", "0.0.0.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ip string) {
		source := networks{}.source(ip)
		parsed, err := netip.ParseAddr(ip)
		if (source == "") != (err != nil) {
			t.Fatalf("source(%q) = %q", ip, source)
		}
		if source == "" {
			return
		}
		network, err := netip.ParsePrefix(source)
		if err != nil || !network.Contains(parsed.Unmap().WithZone("")) || network.Masked() != network {
			t.Errorf("source(%q) = %q, %v", ip, source, err)
		}
		if bits := network.Bits(); bits != 32 && bits != 64 {
			t.Errorf("source(%q) = %q", ip, source)
		}
	})
}
