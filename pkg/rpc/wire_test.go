package rpc

import "testing"

// What costs the broker the matching of a topic goes past it where the queue is known,
// and nowhere else: what is Nameko's stays where Nameko looks for it.
func TestWire_Straight(t *testing.T) {
	t.Parallel()
	cast := Message{Kind: KindCast, Target: "demo.note", Body: []byte(`{"args":[],"kwargs":{}}`), Key: "k"}
	event := Message{Kind: KindEvent, Target: "demo.told", Body: []byte(`{}`), Key: "k"}
	call := Message{Kind: KindCall, Target: "demo.echo", Body: []byte(`{"args":[],"kwargs":{}}`)}
	from := newOrigin("caller.call.X")
	for name, c := range map[string]struct {
		e             *envelope
		exchange, key string
	}{
		"reply to this package":  {reply(&delivery{envelope: envelope{replyTo: replyQueue("caller", "K")}}, nil), exchangeDefault, "rpc.reply-caller-K"},
		"reply to Nameko":        {reply(&delivery{envelope: envelope{replyTo: "618c6743-81b7-4acf-a9ed-ff8cb5fe0b64"}}, nil), exchangeRPC, "618c6743-81b7-4acf-a9ed-ff8cb5fe0b64"},
		"reply to another queue": {reply(&delivery{envelope: envelope{replyTo: "demo.work.v1"}}, nil), exchangeRPC, "demo.work.v1"},
		"cast":                   {stored(t.Context(), cast, from), exchangeDefault, "demo.work.v1"},
		"event":                  {stored(t.Context(), event, from), "demo.events", "told"},
		"request to our own":     {request(t.Context(), call, from, "demo.call.v1", "id", "r"), exchangeDefault, "demo.call.v1"},
		"request":                {request(t.Context(), call, from, "", "id", "r"), exchangeRPC, "demo.echo"},
	} {
		if c.e.exchange != c.exchange || c.e.key != c.key {
			t.Errorf("%s goes through %q under %q, want %q and %q", name, c.e.exchange, c.e.key, c.exchange, c.key)
		}
	}
}
