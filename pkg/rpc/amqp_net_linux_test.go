package rpc

import (
	"testing"
	"time"

	"matriq/pkg/deadpeer"
	"matriq/pkg/testenv"
)

// A broker whose machine died is noticed while a call of 5 s may still be repeated,
// on both connections: on the one for replies nothing is ever written.
func TestAMQP_DeadMachine(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"P", "C"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := connect(t, testenv.AMQP(t))
			k.epoch.sockets.deafen(t, i)
			begun := time.Now()
			receive(t, "lost", k.lost)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("noticed after %v, want about %v", took, deadpeer.Patience)
			}
			eventually(t, "ready again", func() bool { return k.ready() == nil })
		})
	}
}

func (s *sockets) deafen(t *testing.T, i int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, ok := s.conns[i].(*batchedConn)
	if !ok {
		t.Fatalf("a %T carries the connection", s.conns[i])
	}
	testenv.Deafen(t, conn.Conn)
}
