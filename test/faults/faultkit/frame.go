package faultkit

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// Frame is one frame of AMQP 0-9-1, or the protocol header, which begins a
// connection and has kind 'A'.
type Frame struct {
	Kind    byte
	Channel uint16
	Payload []byte
	raw     []byte
}

const (
	frameMethod   = 1
	protocolStart = 'A'
)

// Is tells whether the frame is the method of the class, such as 60, 80 for
// basic.ack.
func (f Frame) Is(class, method uint16) bool {
	return f.Kind == frameMethod && len(f.Payload) >= 4 &&
		binary.BigEndian.Uint16(f.Payload) == class && binary.BigEndian.Uint16(f.Payload[2:]) == method
}

// exception returns the words of a channel.close or a connection.close.
func (f Frame) exception() (string, bool) {
	name := ""
	switch {
	case f.Is(20, 40):
		name = "channel"
	case f.Is(10, 50):
		name = "connection"
	}
	if name == "" || len(f.Payload) < 7 || len(f.Payload) < 7+int(f.Payload[6]) {
		return "", false
	}
	code := binary.BigEndian.Uint16(f.Payload[4:])
	return fmt.Sprintf("%s closed: %d %s", name, code, f.Payload[7:7+int(f.Payload[6])]), true
}

// readFrame reads the next frame.
func readFrame(conn net.Conn) (Frame, error) {
	header := make([]byte, 7)
	if _, err := io.ReadFull(conn, header); err != nil {
		return Frame{}, err
	}
	if header[0] == protocolStart { // AMQP and four bytes of version
		raw := append(header, 0)
		_, err := io.ReadFull(conn, raw[7:])
		return Frame{Kind: protocolStart, raw: raw}, err
	}
	size := int(binary.BigEndian.Uint32(header[3:]))
	raw := make([]byte, len(header)+size+1)
	copy(raw, header)
	if _, err := io.ReadFull(conn, raw[len(header):]); err != nil {
		return Frame{}, err
	}
	return Frame{
		Kind: header[0], Channel: binary.BigEndian.Uint16(header[1:]),
		Payload: raw[len(header) : len(header)+size], raw: raw,
	}, nil
}
