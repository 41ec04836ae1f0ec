package faultkit

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Queue returns how many messages of a queue are ready and how many consumers it
// has. It asks the broker without the proxy.
func (k *Kit) Queue(name string) (messages, consumers int) {
	k.tb.Helper()
	conn, err := amqp.Dial(k.Broker.URL())
	if err != nil {
		k.tb.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		k.tb.Fatal(err)
	}
	q, err := channel.QueueDeclarePassive(name, true, false, false, false, nil)
	if err != nil {
		k.tb.Fatalf("look at %s: %v", name, err)
	}
	return q.Messages, q.Consumers
}

// Held returns what each queue holds, given out or not. It asks rabbitmqctl, which
// takes a second.
func (k *Kit) Held() map[string]int {
	k.tb.Helper()
	held := make(map[string]int)
	for line := range strings.Lines(k.Broker.Control("list_queues", "name", "messages", "--no-table-headers")) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			k.tb.Fatalf("list_queues says %q", line)
		}
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			k.tb.Fatalf("list_queues says %q", line)
		}
		held[fields[0]] = n
	}
	return held
}

// Drained waits until the queues of the ledger hold nothing, given out or not.
func (k *Kit) Drained(within time.Duration) {
	k.tb.Helper()
	Eventually(k.tb, "the ledger's queues are empty", within, func() bool {
		held := k.Held()
		return held["rpc-ledger"] == 0 && held["ledger.call.v1"] == 0 && held["ledger.work.v1"] == 0 && held["ledger.parking"] == 0
	})
}

// PortOpens returns the moment, once it has come, at which the broker's port
// takes connections. It looks from now on; nothing comes when it is still shut
// after a start's patience.
func (k *Kit) PortOpens() <-chan time.Time {
	k.tb.Helper()
	u, err := url.Parse(k.Broker.URL())
	if err != nil {
		k.tb.Fatal(err)
	}
	opened := make(chan time.Time, 1)
	ctx, cancel := context.WithTimeout(k.tb.Context(), startPatience)
	go func() {
		defer cancel()
		awaitPort(ctx, u.Host, opened)
	}()
	return opened
}

func awaitPort(ctx context.Context, address string, opened chan<- time.Time) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			opened <- time.Now()
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Receive returns what comes from a channel, and ends the test when it is not
// there in time.
func Receive[T any](tb testing.TB, what string, within time.Duration, from <-chan T) T {
	tb.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case v := <-from:
		return v
	case <-timer.C:
		tb.Fatalf("after %v still no %s", within, what)
		panic("unreachable")
	}
}
