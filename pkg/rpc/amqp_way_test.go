package rpc_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
)

// A service that Nameko's workers take over is reached as soon as the broker has
// deleted the call queue of the workers before.
func TestAMQP_OverToNameko(t *testing.T) {
	t.Parallel()
	service := "over_" + strings.ToLower(rand.Text())
	url := testenv.AMQP(t)
	caller, worker := dialed(t, url, "caller"), dialed(t, url, service)
	whose := rpc.NewMethod[struct{}, string](service+".whose", 5*time.Second)
	want := func(want string) {
		t.Helper()
		if got, err := whose.Call(t.Context(), caller, struct{}{}); got != want || err != nil {
			t.Fatalf("the call is answered with %q, %v; want %q", got, err, want)
		}
	}

	serving, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- worker.Serve(serving, whose.Handle(func(context.Context, struct{}) (string, error) { return "ours", nil }))
	}()
	for worker.Serving() != nil || caller.Ready() != nil {
		<-time.After(10 * time.Millisecond)
	}
	channel := namekoWorker(t, url, service, `{"result": "theirs", "error": null}`)
	want("ours") // although both take from the queue that they share

	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDelete(service+".call.v1", false, false, false); err != nil {
		t.Fatal(err)
	}
	want("theirs")
	want("theirs")
}

func dialed(t *testing.T, url, name string) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(url, rpc.Options{Service: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// namekoWorker answers the requests in the queue of service.
func namekoWorker(t *testing.T, url, service, answer string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	requests, err := channel.Consume("rpc-"+service, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for r := range requests {
			_ = channel.Publish("nameko-rpc", r.ReplyTo, false, false, amqp.Publishing{
				ContentType: "application/json", CorrelationId: r.CorrelationId, Body: []byte(answer),
			}) // who waits for it tells
		}
	}()
	return channel
}
