package rpc

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHeaders_roundTrip(t *testing.T) {
	t.Parallel()
	deadline := time.UnixMilli(1_700_000_000_123)
	m := Message{Kind: KindEvent, Target: "demo.told", Key: "k1", Deadline: deadline, TraceParent: "00-a-b-01", Meta: Meta{Language: "th", RequestID: "r1", ClientIP: "192.0.2.1"}}
	in := readHeaders(stored(t.Context(), m, newOrigin("origin")).headers)
	if in.meta != m.Meta || in.key != "k1" || !in.deadline.Equal(deadline) || in.trace != m.TraceParent || in.stack != "origin" {
		t.Errorf("%+v", in)
	}
}

func TestHeaders_emptyOnesAreLeftOut(t *testing.T) {
	t.Parallel()
	h := headersOf(t.Context(), Message{}, newOrigin("origin"))
	if len(h) != 1 || h[headerStack] == nil {
		t.Errorf("headers %v, want the stack alone", h)
	}
}

func TestStack_isCappedAtTheOldEnd(t *testing.T) {
	t.Parallel()
	ctx := &scope{Context: t.Context(), stack: callStack{before: callIDs(strings.Repeat("old,", 19) + "old"), method: "demo.own"}}
	got, _ := stackHeader(ctx, newOrigin("origin")).([]any)
	if len(got) != maxStack {
		t.Fatalf("%d ids, want %d", len(got), maxStack)
	}
	own, _ := got[len(got)-1].(string)
	if !strings.HasPrefix(own, "demo.own.") {
		t.Errorf("%v", got)
	}
	if again, _ := stackHeader(ctx, newOrigin("origin")).([]any); !slices.Equal(got, again) {
		t.Errorf("%v became %v", got, again)
	}
}

func TestReadHeaders_tolerates(t *testing.T) {
	t.Parallel()
	in := readHeaders(map[string]any{
		headerStack: "no list", headerLanguage: 7, headerRequestID: []byte("r1"), headerClientIP: strings.Repeat("x", 1000),
		headerDeadline: "soon", headerKey: nil, headerAttempt: int8(-3),
	})
	want := Meta{RequestID: "r1"}
	if in.meta != want || in.stack != "" || !in.deadline.IsZero() || in.key != "" || in.attempts != 0 {
		t.Errorf("%+v", in)
	}
}

func TestKeptHeaders(t *testing.T) {
	t.Parallel()
	got := keptHeaders(map[string]any{"x-death": []any{}, "x-delivery-count": int64(3), headerKey: "k1", "nameko.user_id": int32(7)})
	if len(got) != 2 || got[headerKey] != "k1" || got["nameko.user_id"] != int32(7) {
		t.Errorf("kept %v", got)
	}
	if keptHeaders(nil) == nil {
		t.Error("no map to write to")
	}
}

// Whatever a peer sends, what we read of it can be sent on.
func FuzzReadHeaders(f *testing.F) {
	f.Add("th", []byte("r1"), int64(1_700_000_000_000), int64(3), "a", "b")
	f.Add("\xff", []byte{0xff}, int64(-1), int64(1<<62), "", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, language string, id []byte, deadline, attempts int64, first, second string) {
		in := readHeaders(map[string]any{
			headerLanguage: language, headerRequestID: id, headerDeadline: deadline, headerAttempt: attempts,
			headerStack: []any{first, attempts, second}, headerKey: first, headerMethod: second,
		})
		if in.attempts < 0 || len(in.meta.RequestID) > 3*maxHeader || len(in.stack.header()) > 2 {
			t.Fatalf("%+v", in)
		}
		for _, kind := range []Kind{KindEvent, KindCast} {
			m := Message{Kind: kind, Target: "demo.note", Key: in.key, Deadline: in.deadline, Meta: in.meta}
			e := stored(&scope{Context: context.Background(), stack: callStack{before: in.stack}}, m, newOrigin("o"))
			again := said(&delivery{envelope: *e})
			if len(in.meta.Language) <= maxHeader && again.meta.Language != in.meta.Language || !again.deadline.Equal(in.deadline) {
				t.Fatalf("%+v became %+v", in, again)
			}
		}
	})
}
