// Package deadpeer dials TCP connections that end soon after the machine at their
// other end has died.
//
// A machine without power says nothing, and neither does a network that has
// forgotten it: the kernel's own patience with what it has sent is a quarter of an
// hour, and who only reads would wait for ever. A peer that lives and is slow is
// waited for: its kernel acknowledges.
package deadpeer

import (
	"net"
	"time"
)

// Patience is how long the other machine may acknowledge nothing, neither what was
// sent nor a question whether it lives. It leaves the second half of a call's usual
// 5 s for another attempt.
const Patience = 3 * time.Second

// Dialer returns a dialer that waits for timeout at most, and whose connections end
// when their peer was silent for the [Patience].
func Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 2},
		Control:         noticeDeath,
	}
}
