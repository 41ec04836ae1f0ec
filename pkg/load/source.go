package load

import (
	"math/big"
	"net"
	"net/netip"
	"sync/atomic"
)

// turn gives out the addresses of a network, one after the other.
type turn struct{ n atomic.Uint64 }

// next is nil for the zero prefix.
func (t *turn) next(from netip.Prefix) *net.TCPAddr {
	if !from.IsValid() {
		return nil
	}
	from = from.Masked()
	size := from.Addr().BitLen() - from.Bits()
	n := t.n.Add(1) // 0 is the network itself
	if size < 63 {
		n %= 1 << size
	}
	low := new(big.Int).SetBytes(from.Addr().AsSlice())
	low.Add(low, new(big.Int).SetUint64(n))
	return &net.TCPAddr{IP: low.FillBytes(make([]byte, from.Addr().BitLen()/8))}
}
