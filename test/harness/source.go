package harness

import (
	"net"
	"net/http"
	"time"
)

// ClientFrom returns a client whose connections come from an address, such as
// 127.8.0.1: all of 127.0.0.0/8 is this machine's. So a test has as many sources
// as it wants, none of them forged. It keeps no connection open.
func ClientFrom(address string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		Timeout:   30 * time.Second,
	}
}
