package rpc

import (
	"context"
	"testing"
	"time"
)

func TestTopologyOf(t *testing.T) {
	t.Parallel()
	noop := func(context.Context, struct{}) error { return nil }
	topology := topologyOf([]Route{
		NewMethod[struct{}, int]("otp.create", time.Second).Handle(func(context.Context, struct{}) (int, error) { return 0, nil }),
		NewCast[struct{}]("student.note").Handle(noop),
		NewEvent[struct{}]("email", "sent").On("student.on_sent", noop),
	}, []time.Duration{time.Second, time.Second})
	const want = `exchange nameko-rpc topic
exchange matriq-cast topic
exchange email.events topic
queue    rpc-otp
queue    otp.call.v1 x-expires=60000
queue    rpc-student
queue    student.call.v1 x-expires=60000
queue    student.parking x-delivery-limit=1000000 x-queue-type=quorum
queue    student.work.v1 x-dead-letter-exchange= x-dead-letter-routing-key=student.parking x-dead-letter-strategy=at-least-once x-delivery-limit=20 x-overflow=reject-publish x-queue-type=quorum
queue    student.retry.v1.1s x-dead-letter-exchange= x-dead-letter-routing-key=student.work.v1 x-dead-letter-strategy=at-least-once x-message-ttl=1000 x-overflow=reject-publish x-queue-type=quorum
queue    evt-email-sent--student.on_sent
binding  nameko-rpc otp.* -> rpc-otp
binding  nameko-rpc student.* -> rpc-student
binding  matriq-cast student.* -> student.work.v1
binding  email.events sent -> evt-email-sent--student.on_sent
`
	if got := topology.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRetryQueue(t *testing.T) {
	t.Parallel()
	want := []string{"1s", "5s", "30s", "2m", "10m"}
	for i, d := range defaultRetryDelays() {
		if got := retryQueue("demo", d); got != "demo.retry.v1."+want[i] {
			t.Errorf("%v: %s", d, got)
		}
	}
	for d, want := range map[time.Duration]string{time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 20 * time.Millisecond: "20ms", 10 * time.Hour: "10h"} {
		if got := delayName(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
