package rpc

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// handlerOf is the context of a handler that calls led to.
func handlerOf(method string, before callIDs) *scope {
	return &scope{Context: context.Background(), stack: callStack{before: before, method: method}}
}

func longIDs(n int) (ids callIDs) {
	for i := range n {
		ids = ids.with(fmt.Sprintf("service_%d.method.SPHRBCFNKR2FIWQXTTYZLJ6FYM", i))
	}
	return ids
}

// What a message takes along arrives, whether it has room in its type or not.
func TestSay_RoundTrip(t *testing.T) {
	t.Parallel()
	whole := Message{
		Target: "demo.note", Key: "k1", Deadline: time.UnixMilli(1_700_000_000_123), TraceParent: "00-a-b-01",
		Meta: Meta{Language: "th", RequestID: "r1", ClientIP: "2001:db8::7"},
	}
	long := whole
	long.Meta.RequestID, long.Key = strings.Repeat("r", 200), strings.Repeat("k", 200)
	strange := whole
	strange.Key, strange.Meta = "a;b=c,d%e f\x00", Meta{Language: "ไทย;key=x", RequestID: "=", ClientIP: ";"}
	endless := whole
	endless.Target = "demo." + strings.Repeat("n", 250)
	for name, c := range map[string]struct {
		m       Message
		ctx     context.Context //nolint:containedctx // what the message is sent in
		headers int             // at most
	}{
		"nothing but the method":     {Message{Target: "demo.note"}, t.Context(), 0},
		"everything":                 {whole, t.Context(), 1},
		"from a handler":             {whole, handlerOf("demo.own", "caller.call.X"), 1},
		"from the end of a chain":    {whole, handlerOf("demo.own", longIDs(20)), 2},
		"long values":                {long, t.Context(), 4},
		"values that need an escape": {strange, t.Context(), 1},
		"a method without room":      {endless, t.Context(), 8},
	} {
		for _, kind := range []Kind{KindCast, KindCall} {
			c.m.Kind = kind
			from := newOrigin("caller.call.SPHRBCFNKR2FIWQXTTYZLJ6FYM")
			e := stored(c.ctx, c.m, from)
			if kind == KindCall {
				e = request(c.ctx, c.m, from, "demo.call.v1", "id", "r")
			}
			if err := checkAMQP(e); err != nil || len(e.headers) > c.headers {
				t.Errorf("%s of %s: %d headers, want %d at most; %v", kind, name, len(e.headers), c.headers, err)
			}
			stack := cmp.Or(stackFrom(c.ctx), from.stack)
			want := inbound{meta: c.m.Meta, stack: stack, trace: c.m.TraceParent, deadline: c.m.Deadline, key: c.m.Key, method: c.m.Target}
			if got := said(&delivery{envelope: *e}); !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %s: type %q and headers %v say\n%+v, want\n%+v", kind, name, e.messageType, e.headers, got, want)
			}
		}
	}
}

// A type that others wrote, on what did not come straight to its queue, means nothing.
func TestSaid_TypeOfOthers(t *testing.T) {
	t.Parallel()
	d := &delivery{envelope: envelope{exchange: exchangeRPC, key: "demo.note", messageType: "demo.drop;key=k1"}}
	if in := said(d); in.method != "" || in.key != "" {
		t.Errorf("%+v", in)
	}
}

// What moves keeps its type, and what its headers say counts more.
func TestSaid_AfterAMove(t *testing.T) {
	t.Parallel()
	m := Message{Kind: KindCast, Target: "demo.note", Key: "k1", Meta: Meta{RequestID: "r1", Language: "th"}}
	d := &delivery{envelope: *stored(t.Context(), m, newOrigin("o"))}
	in := said(d)
	in.attempts, in.lastErr, in.failedAt = 2, "internal", time.UnixMilli(1_700_000_000_000)
	got := said(&delivery{envelope: *moved(d, parkingQueue("demo"), in.history())})
	if !reflect.DeepEqual(got, in) {
		t.Errorf("%+v became %+v", in, got)
	}
}

func TestReadType_Tolerates(t *testing.T) {
	t.Parallel()
	in := readType("demo.note;;language;request_id=%zz;deadline=soon;color=red;call_id_stack=,a,%,b;key=" + strings.Repeat("x", maxHeader+1))
	if want := (inbound{method: "demo.note", stack: ",a,%,b"}); !reflect.DeepEqual(in, want) {
		t.Errorf("%+v, want %+v", in, want)
	}
	if got := in.stack.header(); !slices.Equal(got, []any{"a", "b"}) {
		t.Errorf("ids %v, want a and b", got)
	}
	if in := readType(";call_id_stack=" + strings.Repeat("a,", 50) + "b"); len(in.stack.header()) != maxStack {
		t.Errorf("ids %q, want %d", in.stack, maxStack)
	}
}

// Whatever a type says can be sent on, and means the same again.
func FuzzReadType(f *testing.F) {
	f.Add("demo.note;language=th;request_id=r1;client_ip=192.0.2.1;key=k;deadline=1700000000123;call_id_stack=a,b")
	f.Add("%ff;key=%00%2c;call_id_stack=%2c,")
	f.Fuzz(func(t *testing.T, typ string) {
		in := readType(typ)
		ids := in.stack.header()
		for _, s := range append(ids, in.method, in.key, in.meta.Language, in.meta.RequestID, in.meta.ClientIP) {
			if len(fmt.Sprint(s)) > maxHeader {
				return // by what stands for bytes that are no character; it is not read again
			}
		}
		m := Message{Kind: KindCast, Target: in.method, Key: in.key, Deadline: in.deadline, Meta: in.meta}
		ctx := &scope{Context: context.Background(), stack: callStack{all: in.stack}}
		ctx.stack.make.Do(func() {})
		e := stored(ctx, m, newOrigin("o"))
		if err := checkAMQP(e); err != nil && len(e.key) <= maxShortString {
			t.Fatalf("%+v cannot be sent: %v", in, err)
		}
		again := said(&delivery{envelope: *e})
		if in.stack == "" {
			again.stack = ""
		}
		if again.meta != in.meta || again.key != in.key || again.method != in.method || !again.deadline.Equal(in.deadline) || !slices.Equal(again.stack.header(), ids) {
			t.Fatalf("%+v became %+v by %q and %v", in, again, e.messageType, e.headers)
		}
	})
}
