package rpc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// channelOfTags is a broker's side of a channel: tags that are delivered and not
// settled, and what came of the others.
type channelOfTags struct {
	open         map[uint64]bool
	acks, nacks  []uint64
	frames       int
	latest       uint64
	anythingElse error
}

func (c *channelOfTags) deliver() uint64 {
	if c.open == nil {
		c.open = make(map[uint64]bool)
	}
	c.latest++
	c.open[c.latest] = true
	return c.latest
}

func (c *channelOfTags) Ack(tag uint64, multiple bool) error {
	c.frames++
	if !c.open[tag] {
		return fmt.Errorf("unknown delivery tag %d", tag)
	}
	for t := range c.open {
		if t == tag || multiple && t < tag {
			delete(c.open, t)
			c.acks = append(c.acks, t)
		}
	}
	return nil
}

func (c *channelOfTags) Nack(tag uint64, _, _ bool) error {
	c.frames++
	if !c.open[tag] {
		return fmt.Errorf("unknown delivery tag %d", tag)
	}
	delete(c.open, tag)
	c.nacks = append(c.nacks, tag)
	return nil
}

func (c *channelOfTags) heard(err error) { c.anythingElse = errors.Join(c.anythingElse, err) }

// In whatever order deliveries end, the broker is told of each what came of it, once.
func TestAMQPAcks_AnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be had again
		ch := &channelOfTags{}
		a := newAMQPAcks(ch, ch.heard, time.Hour, 8)
		var atWork, acked, nacked []uint64
		for range 200 {
			switch {
			case len(atWork) < 16 && random.IntN(2) == 0:
				atWork = append(atWork, ch.deliver())
			case len(atWork) > 0:
				i := random.IntN(len(atWork))
				tag := atWork[i]
				atWork = slices.Delete(atWork, i, i+1)
				if random.IntN(5) == 0 {
					a.nack(tag)
					nacked = append(nacked, tag)
				} else {
					a.ack(tag, random.IntN(10) == 0)
					acked = append(acked, tag)
				}
			}
			if random.IntN(20) == 0 {
				a.flush()
			}
		}
		a.hurry()
		for _, tag := range atWork {
			a.ack(tag, random.IntN(10) == 0)
		}
		acked = append(acked, atWork...)
		for _, tags := range [][]uint64{acked, nacked, ch.acks, ch.nacks} {
			slices.Sort(tags)
		}
		if ch.anythingElse != nil || !slices.Equal(ch.acks, acked) || !slices.Equal(ch.nacks, nacked) {
			t.Fatalf("seed %d: %v; the broker heard of acks %v and nacks %v, want %v and %v", seed, ch.anythingElse, ch.acks, ch.nacks, acked, nacked)
		}
		for tag := range a.told {
			if tag <= a.all+1 {
				t.Fatalf("seed %d: tag %d is kept, and all up to %d are told", seed, tag, a.all)
			}
		}
	}
}

// An ack waits for others, no longer than its delay, and for so many at most.
func TestAMQPAcks_Together(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ch := &channelOfTags{}
		a := newAMQPAcks(ch, ch.heard, 50*time.Millisecond, 8)
		want := func(acks, frames int) {
			t.Helper()
			synctest.Wait()
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(ch.acks) != acks || ch.frames != frames || ch.anythingElse != nil {
				t.Fatalf("%d acks in %d frames, %v; want %d in %d", len(ch.acks), ch.frames, ch.anythingElse, acks, frames)
			}
		}
		for range 8 {
			a.ack(ch.deliver(), false)
		}
		want(8, 1)
		first, second := ch.deliver(), ch.deliver()
		a.ack(second, false)
		<-time.After(49 * time.Millisecond)
		want(8, 1)
		<-time.After(time.Millisecond)
		want(9, 2) // alone: the first is still at work
		a.ack(first, false)
		a.ack(ch.deliver(), false)
		<-time.After(50 * time.Millisecond)
		want(11, 3)
		if len(a.told) != 0 {
			t.Errorf("%d tags are kept", len(a.told))
		}
		a.ack(ch.deliver(), false)
		a.ack(ch.deliver(), true) // and what waits goes with it
		want(13, 4)
		a.ack(ch.deliver(), false)
		a.hurry()
		want(14, 5)
		a.ack(ch.deliver(), false)
		want(15, 6)
		<-time.After(time.Second)
		want(15, 6)
	})
}
