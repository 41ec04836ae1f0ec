package peer

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
)

// codes asks [RoleMail] for codes. It implements load.Codes without polling: a
// question waits for its mail.
type codes struct {
	conn net.Conn

	mu      sync.Mutex
	waiting map[string]chan string // by address
}

func dialCodes(ctx context.Context, addr string) (*codes, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &codes{conn: conn, waiting: map[string]chan string{}}
	go c.receive()
	return c, nil
}

func (c *codes) receive() {
	in := bufio.NewScanner(c.conn)
	for in.Scan() {
		address, code, _ := strings.Cut(in.Text(), " ")
		c.mu.Lock()
		waits := c.waiting[address]
		delete(c.waiting, address)
		c.mu.Unlock()
		if waits != nil {
			waits <- code
		}
	}
}

// Code waits for the code of an address; the reference is not looked at, since
// nobody asks for a second code here.
func (c *codes) Code(ctx context.Context, address, _ string) (string, error) {
	address = strings.ToLower(address)
	waits := make(chan string, 1)
	c.mu.Lock()
	c.waiting[address] = waits
	_, err := fmt.Fprintf(c.conn, "%s\n", address)
	c.mu.Unlock()
	if err != nil {
		return "", err
	}
	select {
	case code := <-waits:
		return code, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, address)
		c.mu.Unlock()
		return "", ctx.Err()
	}
}
