package clientip_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"matriq/pkg/clientip"
)

const ours = "10.0.0.0/8, 192.0.2.7, fd00::/8"

func TestTrusted_Of(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trusted, peer string
		forwarded     []string // header lines
		want          string
	}{
		"direct":                           {ours, "203.0.113.9:4711", nil, "203.0.113.9"},
		"nobody is trusted":                {"", "10.0.0.1:80", []string{"203.0.113.9"}, "10.0.0.1"},
		"a stranger's header is ignored":   {ours, "203.0.113.9:80", []string{"198.51.100.1"}, "203.0.113.9"},
		"through the edge":                 {ours, "10.0.0.1:80", []string{"203.0.113.9"}, "203.0.113.9"},
		"through two of ours":              {ours, "10.0.0.1:80", []string{"203.0.113.9, 10.2.3.4"}, "203.0.113.9"},
		"a spoofed left end is ignored":    {ours, "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		"a spoofed inner address is too":   {ours, "10.0.0.1:80", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"several lines are one list":       {ours, "10.0.0.1:80", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		"several lines, the last ours":     {ours, "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.9", "10.1.1.1"}, "203.0.113.9"},
		"all of ours":                      {ours, "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"a single trusted address":         {ours, "192.0.2.7:80", []string{"203.0.113.9"}, "203.0.113.9"},
		"its neighbour is not":             {ours, "192.0.2.8:80", []string{"203.0.113.9"}, "192.0.2.8"},
		"IPv6":                             {ours, "[fd00::1]:80", []string{"2001:db8::5"}, "2001:db8::5"},
		"IPv6 in brackets with a port":     {ours, "[fd00::1]:80", []string{"[2001:db8::5]:4711"}, "2001:db8::5"},
		"IPv4 with a port":                 {ours, "10.0.0.1:80", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		"IPv4 in IPv6 is IPv4":             {ours, "[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone is dropped":                {ours, "[fe80::1%eth0]:80", nil, "fe80::1"},
		"garbage stops the walk":           {ours, "10.0.0.1:80", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"garbage further left is not seen": {ours, "10.0.0.1:80", []string{"<script>, 203.0.113.9"}, "203.0.113.9"},
		"an empty header":                  {ours, "10.0.0.1:80", []string{""}, "10.0.0.1"},
		"an empty last hop":                {ours, "10.0.0.1:80", []string{"203.0.113.9,"}, "10.0.0.1"},
		"no peer":                          {ours, "@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trusted, err := clientip.Parse(tc.trusted)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{
				"X-Forwarded-For": tc.forwarded,
				"X-Real-Ip":       {"6.6.6.6"},
				"Forwarded":       {"for=6.6.6.6"},
			}}
			if got := trusted.Of(r).String(); got != tc.want {
				t.Errorf("Of() = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"10.0.0.0/33", "proxy", "10.0.0.0/8,*", "0.0.0.0/0/1"} {
		if _, err := clientip.Parse(list); err == nil || !strings.Contains(err.Error(), "is no network") {
			t.Errorf("Parse(%q) = %v, want an error that says what is no network", list, err)
		}
	}
}

// A host's address with a mask means its network, as in most firewalls.
func TestParse_MasksHostBits(t *testing.T) {
	t.Parallel()
	var trusted clientip.Trusted
	if err := trusted.UnmarshalText([]byte("10.1.2.3/8")); err != nil {
		t.Fatal(err)
	}
	if !trusted.Contains(netip.MustParseAddr("10.200.0.1")) {
		t.Error("10.1.2.3/8 does not contain 10.200.0.1")
	}
}

// Whatever a client writes, the answer is the peer or an untrusted hop that a
// trusted proxy wrote: never something to the left of it.
func FuzzTrusted_Of(f *testing.F) {
	f.Add("1.1.1.1, 10.0.0.1")
	f.Add("[::1]:, ,")
	trusted, err := clientip.Parse("10.0.0.0/8")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{
			"X-Forwarded-For": {typed, "203.0.113.9"},
		}}
		if got := trusted.Of(r).String(); got != "203.0.113.9" {
			t.Errorf("Of() = %s after a client typed %q", got, typed)
		}
	})
}
