package ui

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"sync"
	"time"
)

// codec writes and reads sessions as scs does, byte for byte, so that replicas of
// any version read what others wrote.
//
// A gob begins with a description of its types, which takes longer to read than
// what follows, and is the same for all sessions of a program. The codec's encoders
// and decoders go through it once. A gob that begins otherwise, of another program, is
// read from the beginning.
type codec struct {
	types    []byte
	encoders sync.Pool
	decoders sync.Pool
}

// gobbed is what scs makes a gob of.
type gobbed = struct {
	Deadline time.Time
	Values   map[string]any
}

// newCodec fails only if gob no longer writes each value by itself.
func newCodec() (*codec, error) {
	var out bytes.Buffer
	enc, sample := gob.NewEncoder(&out), gobbed{Values: map[string]any{journeyKey: []byte{}}}
	if err := enc.Encode(sample); err != nil {
		return nil, fmt.Errorf("sample of a session: %w", err)
	}
	first := bytes.Clone(out.Bytes())
	out.Reset()
	if err := enc.Encode(sample); err != nil {
		return nil, fmt.Errorf("sample of a session: %w", err)
	}
	types, ok := bytes.CutSuffix(first, out.Bytes())
	if !ok {
		return nil, fmt.Errorf("sample of a session: %d bytes do not end with the value", len(first))
	}
	return &codec{types: types}, nil
}

// Encode implements [scs.Codec].
func (c *codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	e, ok := c.encoders.Get().(*encoder)
	if !ok {
		var err error
		if e, err = newEncoder(); err != nil {
			return nil, err
		}
	}
	e.out.Reset()
	e.out.Write(c.types)
	if err := e.gob.Encode(gobbed{deadline, values}); err != nil {
		return nil, err
	}
	data := bytes.Clone(e.out.Bytes())
	c.encoders.Put(e)
	return data, nil
}

// encoder has written the types.
type encoder struct {
	out bytes.Buffer
	gob *gob.Encoder
}

func newEncoder() (*encoder, error) {
	e := &encoder{}
	e.gob = gob.NewEncoder(&e.out)
	return e, e.gob.Encode(gobbed{})
}

// Decode implements [scs.Codec]. A decoder that fails has learnt nobody knows what,
// and is used no more.
func (c *codec) Decode(data []byte) (time.Time, map[string]any, error) {
	value, ours := bytes.CutPrefix(data, c.types)
	if ours {
		if d, ok := c.decoders.Get().(*decoder); ok {
			if v, err := d.decode(value); err == nil {
				c.decoders.Put(d)
				return v.Deadline, v.Values, nil
			}
		}
	}
	d := newDecoder()
	v, err := d.decode(data)
	if err != nil {
		return time.Time{}, nil, err
	}
	if ours {
		c.decoders.Put(d)
	}
	return v.Deadline, v.Values, nil
}

// decoder reads the types with its first value alone.
type decoder struct {
	in  bytes.Reader
	gob *gob.Decoder
}

func newDecoder() *decoder {
	d := &decoder{}
	d.gob = gob.NewDecoder(&d.in)
	return d
}

func (d *decoder) decode(data []byte) (v gobbed, err error) {
	d.in.Reset(data)
	defer d.in.Reset(nil)
	return v, d.gob.Decode(&v)
}
