package load

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Connections say how the clients of a [Site] use connections.
type Connections string

// Kinds of [Connections].
const (
	// Kept connections are shared by all visits, and kept open.
	Kept Connections = "kept"
	// PerVisit connections belong to one visit, as to one browser.
	PerVisit Connections = "visit"
	// PerRequest connections serve one request.
	PerRequest Connections = "request"
)

// Defaults of [Site].
const (
	DefaultTimeout = 30 * time.Second
	dialTimeout    = 5 * time.Second
)

// Site is a server that is visited: scheme, host and port, and how. Its fields
// are not changed once it is used; it may be used from many goroutines.
type Site struct {
	// URL has scheme, host, port and, for an API, the client's name and password.
	URL *url.URL
	// Connections: [Kept] if empty.
	Connections Connections
	// Timeout is how long an answer may take, dialing included; 0:
	// [DefaultTimeout].
	Timeout time.Duration
	// Anywhere allows addresses that are neither loopback nor private.
	Anywhere bool
	// From are the addresses of this machine that visits come from, in turn, so
	// that a server which counts requests by their source sees many. It goes with
	// connections [PerVisit] and [PerRequest]. The zero value: any.
	From netip.Prefix
	// TLS is for https; nil: the system's roots.
	TLS *tls.Config

	kept pool
	turn turn
}

// NewSite reads the URL of a server: http or https, with a host.
func NewSite(rawURL string) (*Site, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("not a URL such as http://127.0.0.1:8080: %w", withoutURL(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("%s is not a URL such as http://127.0.0.1:8080", u.Redacted())
	}
	return &Site{URL: u}, nil
}

// withoutURL drops the URL from an error: it may have a password.
func withoutURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // what url.Parse returns, unwrapped
		return e.Err
	}
	return err
}

// address is what is dialed.
func (s *Site) address() string {
	if port := s.URL.Port(); port != "" {
		return net.JoinHostPort(s.URL.Hostname(), port)
	}
	return net.JoinHostPort(s.URL.Hostname(), map[string]string{"http": "80", "https": "443"}[s.URL.Scheme])
}

// base is the path that stands before all paths.
func (s *Site) base() string { return strings.TrimRight(s.URL.EscapedPath(), "/") }

func (s *Site) timeout() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return DefaultTimeout
}

// Close closes the connections that are kept open.
func (s *Site) Close() { s.kept.close() }

// Near tells whether an address is loopback, private or link-local, where no
// stranger's server is.
func Near(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
}
