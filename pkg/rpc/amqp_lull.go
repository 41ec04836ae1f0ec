package rpc

import "time"

// lull is how long amqp091-go's goroutine for heartbeats is left in peace. It is
// little of the second by which that rounds a heartbeat.
const lull = 100 * time.Millisecond

// SetReadDeadline is what amqp091-go calls for each frame that it has read, in the
// goroutine that also writes its heartbeats: the deadline tells a silent broker. To
// wake that goroutine for each frame that is read or written costs more than many a
// frame. It is only told of what comes while it waits, and so SetReadDeadline keeps
// it for a lull: the deadline, some heartbeats ahead, is late by that at most.
//
// Were it called by the goroutine that reads, it would read ten frames a second.
func (c *batchedConn) SetReadDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	pause := time.NewTimer(lull)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-c.closed:
	}
	return nil
}
