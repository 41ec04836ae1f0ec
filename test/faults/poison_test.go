package faults_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
	"matriq/test/harness"
)

const (
	goodMessages = 50
	// deliveryLimit is that of the work queue: after so many deliveries that
	// nobody settled comes one more, and then the broker parks the message.
	deliveryLimit = 20
	// mostArrivals is how many handlers poison may cost in any one second. A
	// message that were given back at once would come thousands of times.
	mostArrivals = 40
)

// Poison beside good messages: not JSON, no JSON by its own account, of a wrong
// type, one that its handler panics on, one that ends the process of its handler.
// The good ones are done, the bad ones are parked, each with its reason. Once the
// handler is mended the operator gives them back, and each is done once.
func TestPoison(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	r := replica{url: k.Proxy.URL(), ledger: k.Ledger.Path(), arrivals: filepath.Join(t.TempDir(), "arrivals")}
	first := r.start(t)
	broker.Settle()
	first.Kill() // the queues are there, and nobody at work

	caller := k.Connect("caller")
	poison := []string{panicKey + "0", exitKey + "0"}
	for _, key := range poison {
		if err := k.Ledger.Record(t.Context(), caller, key); err != nil {
			t.Fatal(err)
		}
	}
	publishPoison(t, broker.URL())
	for i := range goodMessages {
		if err := k.Ledger.Record(t.Context(), caller, fmt.Sprintf("good-%d", i)); err != nil {
			t.Fatal(err)
		}
	}

	lives := superviseUntil(t, r, func() bool { return goodDone(t, k) == goodMessages && len(parkedKinds(t, caller)) >= 5 })
	checkArrivals(t, r, lives)
	checkParked(t, caller)
	operate(t, r, k, caller)
}

// publishPoison puts what none of our programs sends into the work queue.
func publishPoison(t *testing.T, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for i, m := range []amqp.Publishing{
		{ContentType: "application/json", Body: []byte(`{"args": [{"key": `)},
		{ContentType: "application/x-python-pickle", Body: []byte("\x80\x04K\x01.")},
		{ContentType: "application/json", Body: []byte(`{"args": [["no", "text"], 7], "kwargs": {}}`)},
	} {
		m.Headers = amqp.Table{"matriq.method": "ledger.record", "matriq.key": fmt.Sprintf("foreign-%d", i)}
		m.DeliveryMode = amqp.Persistent
		confirm, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "matriq-cast", "ledger.record", true, false, m)
		if err != nil || !confirm.Wait() {
			t.Fatalf("publish poison: %v", err)
		}
	}
}

// superviseUntil starts a replica whenever there is none, as a swarm does, until
// done, and returns how many it started. The last one goes on.
func superviseUntil(t *testing.T, r replica, done func() bool) int {
	t.Helper()
	p, lives := r.spawn(t), 1
	faultkit.Eventually(t, "all good messages are done and all poison is parked", 4*time.Minute, func() bool {
		if p.Ended() {
			p, lives = r.spawn(t), lives+1
		}
		return done()
	})
	return lives
}

func parked(t *testing.T, conn *faultkit.Peer) []rpc.Parked {
	t.Helper()
	all, err := conn.Parked(t.Context(), "ledger", 0)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func goodDone(t *testing.T, k *faultkit.Kit) int {
	t.Helper()
	effects, err := k.Ledger.Effects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for key := range effects {
		if strings.HasPrefix(key, "good-") {
			n++
		}
	}
	return n
}

// checkArrivals holds poison to the attempts that it is allowed, and to its pace.
func checkArrivals(t *testing.T, r replica, lives int) {
	t.Helper()
	arrived := r.arrived(t)
	panics, exits := len(arrived[panicKey+"0"]), len(arrived[exitKey+"0"])
	t.Logf("%d lives; %d arrivals of the panic, %d of the exit; at most %d in a second", lives, panics, exits, busiest(arrived))
	if exits > deliveryLimit+1 || lives < exits || lives > exits+1 {
		t.Errorf("the exit arrived %d times in %d lives, want at most %d and one life more", exits, lives, deliveryLimit+1)
	}
	// What ends the process may do so while the panic is under way.
	if attempts := len(replicaDelays()) + 1; panics < attempts || panics > attempts+exits {
		t.Errorf("the panic arrived %d times, want %d to %d", panics, attempts, attempts+exits)
	}
	if most := busiest(arrived); most > mostArrivals {
		t.Errorf("poison arrived %d times in a second, want at most %d", most, mostArrivals)
	}
}

// busiest returns the most arrivals within one second.
func busiest(arrived map[string][]time.Time) int {
	all := slices.Concat(slices.Collect(maps.Values(arrived))...)
	slices.SortFunc(all, time.Time.Compare)
	most, from := 0, 0
	for i, at := range all {
		for at.Sub(all[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// parkedKinds returns the parked messages by their key, each with its reason and
// its latest error. A worker that dies between the parking and its note of it
// has parked a message twice, under the same key.
func parkedKinds(t *testing.T, conn *faultkit.Peer) map[string]string {
	t.Helper()
	kinds := make(map[string]string)
	for _, p := range parked(t, conn) {
		kinds[p.Key] = p.Reason + " / " + p.LastError
	}
	return kinds
}

func checkParked(t *testing.T, conn *faultkit.Peer) {
	t.Helper()
	got, want := parkedKinds(t, conn), map[string]string{
		panicKey + "0": "attempts / internal",
		exitKey + "0":  "delivery_limit / ",
		"foreign-0":    "invalid / invalid_argument: malformed_request",
		"foreign-1":    "invalid / invalid_argument: malformed_request",
		"foreign-2":    "invalid / invalid_argument: incorrect_signature",
	}
	if !maps.Equal(got, want) {
		t.Errorf("parked %v, want %v", got, want)
	}
}

// operate is the operator's part, by the program that operators have: what the
// handlers could not do is given back to mended ones, the rest is dropped.
func operate(t *testing.T, r replica, k *faultkit.Kit, caller *faultkit.Peer) {
	t.Helper()
	r.mended = true
	r.start(t)
	list := dlq(t, r.url, "ls", "ledger")
	for _, p := range parked(t, caller) {
		if !strings.Contains(list, p.ID) {
			t.Errorf("%s is not in the list:\n%s", p.ID, list)
		}
		var shown struct{ Reason, Key string }
		if text := dlq(t, r.url, "show", "ledger", p.ID); json.Unmarshal([]byte(text), &shown) != nil || shown.Reason != p.Reason || shown.Key != p.Key {
			t.Errorf("show %s: %s; want reason %s, key %s", p.ID, text, p.Reason, p.Key)
		}
		if p.Reason == "invalid" {
			dlq(t, r.url, "drop", "ledger", p.ID)
			continue
		}
		dlq(t, r.url, "replay", "ledger", p.ID)
	}
	faultkit.Eventually(t, "what was given back is done", 30*time.Second, func() bool { return k.Ledger.Balanced(t) })
	if left := parked(t, caller); len(left) != 0 {
		t.Errorf("still parked: %+v", left)
	}
	if out, code := harness.Run(t, "dlq", "--amqp", r.url, "replay", "ledger", "all"); code != 0 || out != "0 given back to ledger\n" {
		t.Errorf("replay of nothing: exit %d: %s", code, out)
	}
}

func dlq(t *testing.T, url string, args ...string) string {
	t.Helper()
	out, code := harness.Run(t, slices.Concat([]string{"dlq", "--amqp", url}, args)...)
	if code != 0 {
		t.Errorf("matriq dlq %s: exit %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}
