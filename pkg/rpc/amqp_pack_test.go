package rpc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"matriq/pkg/testenv"
)

// part is an envelope that may share a message.
func part(queue, body string) *envelope {
	return &envelope{exchange: exchangeDefault, key: queue, mandatory: true, contentType: contentJSON, messageType: "demo.note;key=" + body, body: []byte(body)}
}

func packOfBodies(queue string, bodies ...string) *envelope {
	var parts []*publishing
	for _, body := range bodies {
		parts = append(parts, &publishing{envelope: part(queue, body)})
	}
	return packOf(parts)
}

func TestPack_RoundTrip(t *testing.T) {
	t.Parallel()
	sent := []envelope{
		{messageType: "demo.echo;language=th", correlationID: "c 1\n", replyTo: "rpc.reply-x", expiration: 5 * time.Second, body: []byte("{\"a\":\n1}")},
		{messageType: "demo.echo", correlationID: "2", expiration: time.Millisecond, body: []byte("1 2 3 4 5\nไทย")},
		{expiration: time.Second, body: []byte{}},
	}
	var parts []*publishing
	for i := range sent {
		sent[i].key, sent[i].transient, sent[i].contentType = "demo.call.v1", true, contentJSON
		parts = append(parts, &publishing{envelope: &sent[i]})
	}
	pack := packOf(parts)
	if pack.key != "demo.call.v1" || !pack.transient || pack.expiration != 5*time.Second || pack.messageType != sent[0].messageType {
		t.Errorf("pack %+v", pack)
	}
	if got, err := unpack(pack); err != nil || !reflect.DeepEqual(got, sent) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, sent)
	}
}

// A pack lasts as long as the last of its parts.
func TestPack_Expiration(t *testing.T) {
	t.Parallel()
	short, long, never := part("q", "a"), part("q", "b"), part("q", "c")
	short.expiration, long.expiration = time.Second, time.Minute
	if e := packOf([]*publishing{{envelope: long}, {envelope: short}}); e.expiration != time.Minute {
		t.Errorf("expires after %v", e.expiration)
	}
	if e := packOf([]*publishing{{envelope: short}, {envelope: never}, {envelope: long}}); e.expiration != 0 {
		t.Errorf("expires after %v, want never", e.expiration)
	}
}

func TestUnpack_Refuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "\n", "0 0 0 0 0", "0 0 0 0\n", "0 0 0 0 0 0\n", "0 0 0 0 0 \nx", "0 0 0 0 1\n", "-1 0 0 0 0\n", "0 0 0 x 0\n",
		"0 0 0 0 9223372036854775807\nx", "1 1 1 0 1\nabc", "0 0 0 0 1\nab", "0 0 0 0 99999999999999999999\n",
	} {
		if parts, err := unpack(&envelope{body: []byte(body)}); !errors.Is(err, errNoPack) {
			t.Errorf("%q is %d parts, %v", body, len(parts), err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("1 2 3 4 5\nabbcccddddd0 0 0 0 0\n"))
	f.Add(packOfBodies("q", "a", "b").body)
	f.Fuzz(func(t *testing.T, body []byte) {
		parts, err := unpack(&envelope{body: body})
		if err != nil {
			return
		}
		var again []byte
		for _, p := range parts {
			again = appendPart(again, &p)
		}
		second, err := unpack(&envelope{body: again})
		if err != nil || !reflect.DeepEqual(parts, second) {
			t.Errorf("%q became %q, %v", body, again, err)
		}
	})
}

// What goes to one queue in one way shares a message, up to a size.
func TestPacks_Share(t *testing.T) {
	t.Parallel()
	change := func(change func(*envelope)) *envelope {
		e := part("q", "x")
		change(e)
		return e
	}
	apart := map[string]*envelope{
		"another queue":   part("other", "x"),
		"an exchange":     change(func(e *envelope) { e.exchange = exchangeRPC }),
		"headers":         change(func(e *envelope) { e.headers = map[string]any{"a": "b"} }),
		"transient":       change(func(e *envelope) { e.transient = true }),
		"not mandatory":   change(func(e *envelope) { e.mandatory = false }),
		"another type":    change(func(e *envelope) { e.contentType = "text/plain" }),
		"an encoding":     change(func(e *envelope) { e.contentEncoding = "utf-8" }),
		"wants to be one": change(func(e *envelope) { e.alone = true }),
		"large":           change(func(e *envelope) { e.body = make([]byte, maxPartBytes+1) }),
		"a mark":          nil,
	}
	for name, e := range apart {
		var packs packs
		for _, p := range []*envelope{part("q", "first"), e, part("q", "last")} {
			packs.add(&publishing{envelope: p})
		}
		all := packs.publishings()
		if len(all) != 2 || all[1].envelope != e || len(all[0].parts) != 2 {
			t.Errorf("%s: %d messages", name, len(all))
		}
	}
	for name, c := range map[string]struct{ size, want int }{"many": {1, maxParts}, "much": {maxPartBytes, maxPackBytes / maxPartBytes}} {
		var packs packs
		for range 2 * c.want {
			packs.add(&publishing{envelope: part("q", strings.Repeat("x", c.size))})
		}
		for _, p := range packs.publishings() {
			if len(p.parts) != c.want {
				t.Errorf("%s: %d parts, want %d", name, len(p.parts), c.want)
			}
		}
	}
}

// Under load fewer messages leave than envelopes are published; each is stored and
// comes once.
func TestAMQP_PacksUnderLoad(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	const senders, each = 64, 20
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range each {
				if err := publishAndWait(t.Context(), k, part(queue, fmt.Sprintf("%d-%d", s, i)), true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	if n, err := k.count(t.Context(), queue); err != nil || n == 0 || n >= senders*each {
		t.Errorf("%d messages for %d envelopes, %v", n, senders*each, err)
	}
	deliveries, _ := k.subscribe(queue, 16)
	come := make(map[string]bool)
	for range senders * each {
		d := receive(t, fmt.Sprintf("delivery after %d", len(come)), deliveries)
		if come[string(d.body)] || d.messageType != "demo.note;key="+string(d.body) || d.contentType != contentJSON {
			t.Errorf("%+v", d.envelope)
		}
		come[string(d.body)] = true
		d.ack()
	}
	k.wantEmpty(queue)
}

// wantEmpty fails when queue has messages, once the connection that had them has ended.
func (k *amqpKit) wantEmpty(queue string) {
	k.t.Helper()
	if err := k.close(k.t.Context()); err != nil {
		k.t.Error(err)
	}
	other := connect(k.t, k.uri)
	if d, ok, err := other.get(k.t.Context(), queue); ok || err != nil {
		k.t.Errorf("%+v is left, %v", d, err)
	}
}

// A part that goes back comes again by itself, and the others do not.
func TestAMQP_PartGoesBack(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	deliveries, stop := k.subscribe(queue, 3)
	if err := publishAndWait(t.Context(), k, packOfBodies(queue, "a", "b", "c"), true); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if d := receive(t, "part", deliveries); string(d.body) == "b" {
			d.nack()
		} else {
			d.ack()
		}
	}
	if d := receive(t, "the part that went back", deliveries); string(d.body) != "b" || d.messageType != "demo.note;key=b" {
		t.Errorf("%+v", d.envelope)
	} else {
		d.ack()
	}
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "empty", func() bool { n, err := k.count(t.Context(), queue); return err == nil && n == 0 })
	if len(deliveries) != 0 {
		t.Errorf("%s came again", (<-deliveries).body)
	}
}

// A pack whose worker died may have what killed it. Its parts come again, each by
// itself, as if for the first time.
func TestAMQP_PackComesAgain(t *testing.T) {
	t.Parallel()
	broker := testenv.AMQP(t)
	p, url := newProxy(t, broker)
	dying, k := connect(t, url), connect(t, broker)
	queue := k.queue(map[string]any{"x-queue-type": "quorum"})
	first, _ := dying.subscribe(queue, 3)
	if err := publishAndWait(t.Context(), k, packOfBodies(queue, "a", "b", "c"), true); err != nil {
		t.Fatal(err)
	}
	done := receive(t, "part", first)
	done.ack()
	p.refuse(true)
	p.Cut()
	deliveries, _ := k.subscribe(queue, 3)
	var bodies []string
	var all []*delivery
	for range 3 {
		d := receive(t, "part again", deliveries)
		if d.redelivered || d.count != 0 || d.messageType != "demo.note;key="+string(d.body) {
			t.Errorf("redelivered %v, count %d, %+v", d.redelivered, d.count, d.envelope)
		}
		bodies, all = append(bodies, string(d.body)), append(all, d)
	}
	if slices.Sort(bodies); !slices.Equal(bodies, []string{"a", "b", "c"}) {
		t.Errorf("%q came again", bodies)
	}
	all[0].ack()
	all[1].nack() // it came alone: the broker counts that
	if d := receive(t, "what came alone", deliveries); string(d.body) != string(all[1].body) || d.count == 0 {
		t.Errorf("%s after %s, count %d", d.body, all[1].body, d.count)
	} else {
		d.ack()
	}
	all[2].ack()
}

// Who stops leaves to others what has not begun, also of a pack.
func TestAMQP_StopLeavesParts(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	deliveries, stop := k.subscribe(queue, 1)
	if err := publishAndWait(t.Context(), k, packOfBodies(queue, "a", "b", "c"), true); err != nil {
		t.Fatal(err)
	}
	begun := receive(t, "part", deliveries)
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	begun.ack()
	others, _ := k.subscribe(queue, 5)
	bodies := []string{string(begun.body)}
	for range 2 {
		d := receive(t, "what was left", others)
		bodies = append(bodies, string(d.body))
		d.ack()
	}
	if slices.Sort(bodies); !slices.Equal(bodies, []string{"a", "b", "c"}) {
		t.Errorf("%q came", bodies)
	}
	if len(deliveries) != 0 {
		t.Errorf("%s came after stop", (<-deliveries).body)
	}
}

// What waits in a pack for a slow handler goes to a worker that has nothing to do.
func TestAMQP_SlowHandlerLeavesParts(t *testing.T) {
	t.Parallel()
	broker := testenv.AMQP(t)
	k, idle := connect(t, broker), connect(t, broker)
	queue := k.queue(nil)
	slow, stop := k.subscribe(queue, 1)
	if err := publishAndWait(t.Context(), k, packOfBodies(queue, "a", "b", "c"), true); err != nil {
		t.Fatal(err)
	}
	begun := receive(t, "part", slow)
	others, _ := idle.subscribe(queue, 2)
	bodies := []string{string(begun.body)}
	for range 2 {
		d := receive(t, "what waited", others)
		bodies = append(bodies, string(d.body))
		d.ack()
	}
	if slices.Sort(bodies); !slices.Equal(bodies, []string{"a", "b", "c"}) {
		t.Errorf("%q came", bodies)
	}
	begun.ack()
	// Not closed: the broker may have handed out what went back before it confirmed that,
	// and what is not confirmed comes again.
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "empty", func() bool { n, err := k.count(t.Context(), queue); return err == nil && n == 0 })
	if len(others) != 0 {
		t.Errorf("%s came again", (<-others).body)
	}
}

// What says of itself that it is a pack and is none is for the worker to refuse, whole.
func TestAMQP_NoPack(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue := k.queue(nil)
	deliveries, _ := k.subscribe(queue, 1)
	bad := packOfBodies(queue, "a", "b")
	bad.body = bad.body[:len(bad.body)-1]
	if err := publishAndWait(t.Context(), k, bad, true); err != nil {
		t.Fatal(err)
	}
	if d := receive(t, "delivery", deliveries); d.contentType != contentPack || string(d.body) != string(bad.body) {
		t.Errorf("%+v", d.envelope)
	} else {
		d.ack()
	}
}

func TestAMQP_PackOfReplies(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	queue, _, _ := k.replyTo()
	pack := packOfBodies(queue, "a", "b")
	if err := publishAndWait(t.Context(), k, pack, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b"} {
		if e := receive(t, "reply", k.replies); string(e.body) != want {
			t.Errorf("reply %s, want %s", e.body, want)
		}
	}
}

// All parts of a pack hear that there is no queue.
func TestAMQP_PackUnroutable(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	const n = 200
	outcomes := make(chan error, n)
	for range n {
		go k.publish(t.Context(), part("nobody-home", "x"), true, func(err error) { outcomes <- err })
	}
	for range n {
		if err := receive(t, "outcome", outcomes); !errors.Is(err, errUnroutable) {
			t.Errorf("outcome %v", err)
		}
	}
}

// What fails of a pack is parked by itself, and the others are done.
func TestAMQP_PackServed(t *testing.T) {
	t.Parallel()
	k := connect(t, testenv.AMQP(t))
	conn, err := Dial(k.uri, Options{Service: "packed"})
	if err != nil {
		t.Fatal(err)
	}
	type numbered struct{ N int }
	note := NewCast[numbered]("packed.note")
	handled := make(chan int, 10)
	serving, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- conn.Serve(serving, note.Handle(func(_ context.Context, a numbered) error {
			handled <- a.N
			if a.N == 1 {
				return ErrPermanent
			}
			return nil
		}))
	}()
	eventually(t, "serving", func() bool { return conn.Serving() == nil })

	var parts []*publishing
	for n := range 3 {
		m, err := note.Message(WithKey(t.Context(), fmt.Sprintf("k%d", n)), numbered{n})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, &publishing{envelope: stored(t.Context(), m, newOrigin("kit.call.X"))})
	}
	if err := publishAndWait(t.Context(), k, packOf(parts), true); err != nil {
		t.Fatal(err)
	}
	for range parts {
		receive(t, "handled part", handled)
	}
	var parked []Parked
	eventually(t, "one parked", func() bool {
		parked, err = conn.Parked(t.Context(), "packed", 0)
		return err == nil && len(parked) == 1
	})
	if parked[0].Key != "k1" || parked[0].Method != "packed.note" || parked[0].Reason != parkedPermanent {
		t.Errorf("parked %+v", parked[0])
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := conn.Close(context.Background()); err != nil {
		t.Error(err)
	}
	k.wantEmpty(workQueue("packed"))
	if len(handled) != 0 {
		t.Errorf("%d was handled again", <-handled)
	}
}

// The ack of a pack waits for others; that of one that came again does not, as a part
// that is back in the queue may kill its worker, and the pack would bring another of each.
func TestPack_Acks(t *testing.T) {
	t.Parallel()
	for again, want := range map[bool]int{false: 0, true: 1} {
		ch := &channelOfTags{}
		acks := newAMQPAcks(ch, ch.heard, time.Hour, 8)
		pack := &settlement{acks: acks, tag: ch.deliver()}
		pack.envelope, pack.redelivered = *packOfBodies("q", "a", "b"), again
		parts := pack.parts(new(sync.WaitGroup))
		for i, p := range parts {
			p.settled()
			if i < len(parts)-1 && ch.frames != 0 {
				t.Errorf("acknowledged with part %d of %d", i+1, len(parts))
			}
		}
		if ch.frames != want {
			t.Errorf("again %v: %d acks are told, want %d", again, ch.frames, want)
		}
		acks.flush()
	}
}
