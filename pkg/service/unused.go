package service

import (
	"net"
	"net/http"
	"sync"
)

// unusedConns are the connections on which no request has begun. Browsers keep
// some in store, and a server that stops would wait for them.
type unusedConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// note is an [http.Server]'s ConnState.
func (u *unusedConns) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.conns, c)
		return
	}
	if u.conns == nil {
		u.conns = map[net.Conn]struct{}{}
	}
	u.conns[c] = struct{}{}
}

// close ends them all.
func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close() // nothing was said on it
	}
}
