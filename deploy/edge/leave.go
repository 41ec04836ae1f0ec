package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// leaveWithin is how long those who are at the door have to be let in.
const leaveWithin = 2 * time.Second

// spokenWithin is how long who was let in then has to say what he wants: a server
// that closes drops a request that it has not read yet, without an answer.
const spokenWithin = 2 * time.Second

// turnAway has the kernel drop who knocks from now on, and returns when all who
// knocked before are let in and have had the time to speak. Closing a socket would
// reset the connections that wait to be accepted, after their clients believe to be
// connected; who is not answered yet goes to the next address of the site once the
// socket is closed.
func turnAway(ctx context.Context, sockets []int) {
	for _, fd := range sockets {
		dropAll(fd)
	}
	letIn(ctx, sockets)
	select {
	case <-ctx.Done():
	case <-time.After(spokenWithin):
	}
}

// letIn returns when nobody waits to be accepted, or waits in vain.
func letIn(ctx context.Context, sockets []int) {
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for waiting(sockets) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// dropAll attaches a filter that lets no packet through to a listening socket;
// those of connections that were accepted are not its.
func dropAll(fd int) {
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	// Where it cannot be had, the socket is closed as it is.
	_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
}

// waiting tells whether a connection waits to be accepted.
func waiting(sockets []int) bool {
	for _, fd := range sockets {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && info.Unacked > 0 { // of a listening socket: the length of its queue
			return true
		}
	}
	return false
}

// listening are this process's sockets that listen.
func listening() (sockets []int) {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, file := range files {
		fd, err := strconv.Atoi(file.Name())
		if err != nil {
			continue
		}
		if yes, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && yes == 1 {
			sockets = append(sockets, fd)
		}
	}
	return sockets
}
