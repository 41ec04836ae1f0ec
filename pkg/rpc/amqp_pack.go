package rpc

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// A pack is several envelopes on their way to one queue in one message, which costs the
// broker hardly more than one of them. Each part is a line of five numbers and then as
// many bytes as they say:
//
//	TYPE CORRELATION REPLY_TO MS BODY
//
// the lengths of the property type, the correlation id and the name of the reply queue,
// the expiration in milliseconds, 0 for never, and the length of the body, which follow
// in that order without anything between them. A pack says in its own property type
// what its first part says, for whoever looks at it on the broker, and expires when
// nothing in it is worth anything any more.
const contentPack = "application/vnd.matriq.pack"

const (
	// maxParts is as many as a worker takes at a time.
	maxParts = 16
	// maxPackBytes bounds a pack, and maxPartBytes what is worth packing.
	maxPackBytes = 64 << 10
	maxPartBytes = 8 << 10
	// maxGathered bounds what the writer looks at before it writes.
	maxGathered = 4 * maxParts
)

// isPart tells whether e may share a message: it goes straight to a queue of programs
// of this package, and says nothing that has no place in a pack.
func (e *envelope) isPart() bool {
	return e.exchange == exchangeDefault && e.contentType == contentJSON && e.contentEncoding == "" &&
		len(e.headers) == 0 && len(e.body) <= maxPartBytes && !e.alone
}

// gather takes first and what waits behind it, no more than there are slots for, and
// returns what to write: packs, and what goes by itself.
func (l *amqpLane) gather(first *publishing) []*publishing {
	most := min(maxGathered, 1+cap(l.slots)-len(l.slots))
	var packs packs
	for packs.add(first); packs.gathered < most && len(l.queue) > 0; {
		packs.add(<-l.queue) // from which nobody else takes
	}
	return packs.publishings()
}

// packs are on their way to as many queues.
type packs struct {
	open     []openPack
	gathered int
}

type openPack struct {
	parts []*publishing
	bytes int
}

func (s *packs) add(p *publishing) {
	s.gathered++
	for i := range s.open {
		if s.open[i].takes(p) {
			s.open[i].add(p)
			return
		}
	}
	var pack openPack
	pack.add(p)
	s.open = append(s.open, pack)
}

func (o *openPack) add(p *publishing) {
	o.parts = append(o.parts, p)
	if p.envelope != nil {
		o.bytes += len(p.body)
	}
}

func (o *openPack) takes(p *publishing) bool {
	first := o.parts[0]
	return first.envelope != nil && p.envelope != nil && first.isPart() && p.isPart() &&
		first.key == p.key && first.transient == p.transient && first.mandatory == p.mandatory &&
		len(o.parts) < maxParts && o.bytes+len(p.body) <= maxPackBytes
}

// publishings are in the order of their first parts.
func (s *packs) publishings() []*publishing {
	all := make([]*publishing, len(s.open))
	for i, o := range s.open {
		all[i] = o.parts[0]
		if len(o.parts) > 1 {
			all[i] = packed(o.parts)
		}
	}
	return all
}

// packed is a publishing of all parts; what becomes of it becomes of each.
func packed(parts []*publishing) *publishing {
	return &publishing{envelope: packOf(parts), parts: parts, done: func(err error) {
		for _, p := range parts {
			p.done(err)
		}
	}}
}

func packOf(parts []*publishing) *envelope {
	first := parts[0].envelope
	e := &envelope{
		exchange: first.exchange, key: first.key, mandatory: first.mandatory, transient: first.transient,
		contentType: contentPack, messageType: first.messageType, expiration: lastExpiration(parts),
	}
	for _, p := range parts {
		e.body = appendPart(e.body, p.envelope)
	}
	return e
}

// lastExpiration is 0, for never, when one of the parts has none.
func lastExpiration(parts []*publishing) (last time.Duration) {
	for _, p := range parts {
		if p.expiration == 0 {
			return 0
		}
		last = max(last, p.expiration)
	}
	return last
}

func appendPart(b []byte, e *envelope) []byte {
	for _, n := range [...]int64{
		int64(len(e.messageType)), int64(len(e.correlationID)), int64(len(e.replyTo)), e.expiration.Milliseconds(), int64(len(e.body)),
	} {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	b[len(b)-1] = '\n'
	b = append(append(append(b, e.messageType...), e.correlationID...), e.replyTo...)
	return append(b, e.body...)
}

// errNoPack means that a message says of itself that it is a pack and is none.
var errNoPack = errors.New("the pack cannot be read")

// unpack returns the parts of e, at least one.
func unpack(e *envelope) ([]envelope, error) {
	var parts []envelope
	for rest := e.body; len(rest) > 0; {
		part := envelope{exchange: e.exchange, key: e.key, transient: e.transient, contentType: contentJSON}
		var err error
		if rest, err = part.readPart(rest); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, errNoPack
	}
	return parts, nil
}

// readPart reads what appendPart wrote and returns what follows it.
func (e *envelope) readPart(b []byte) ([]byte, error) {
	line, rest, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return nil, errNoPack
	}
	var n [5]int
	for i := range n {
		var word []byte
		var err error
		word, line, _ = bytes.Cut(line, []byte{' '})
		if n[i], err = strconv.Atoi(string(word)); err != nil || n[i] < 0 {
			return nil, errNoPack
		}
	}
	take := func(length int) []byte {
		if length > len(rest) {
			ok = false
			return nil
		}
		var taken []byte
		taken, rest = rest[:length:length], rest[length:]
		return taken
	}
	e.messageType, e.correlationID, e.replyTo = string(take(n[0])), string(take(n[1])), string(take(n[2]))
	e.expiration = time.Duration(n[3]) * time.Millisecond
	e.body = take(n[4])
	if !ok || len(line) > 0 {
		return nil, errNoPack
	}
	return rest, nil
}
