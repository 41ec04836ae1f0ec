//go:build !unix

package rpc

import "net"

// offer leaves everything to the flusher.
type offer struct{}

func newOffer(net.Conn) offer { return offer{} }

func (offer) write([]byte) (int, error) { return 0, nil }
