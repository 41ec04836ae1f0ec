package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
	"matriq/test/faults/faultkit"
)

// A hundred replies that come after their callers have given up: dropped and
// counted, and the next calls get their own.
func TestReply_Late(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	release := make(chan struct{})
	k.Serve(k.Ledger.Routes(faultkit.Hooks{After: func(context.Context, faultkit.Entry) error {
		<-release // and not ctx: a handler that does not look at its deadline
		return nil
	}}), func(o *rpc.Options) { o.Prefetch = crowd })
	caller := k.Connect("caller")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	inCrowd(t, "late", func(key string) {
		if _, err := k.Ledger.Touch(ctx, caller, key); rpc.CodeOf(err) != rpc.DeadlineExceeded || faultkit.RanOf(err) != rpc.RanMaybe {
			t.Errorf("%v, want a deadline", err)
		}
	})
	close(release)
	faultkit.Eventually(t, "all late replies are dropped and counted", serves, func() bool {
		return caller.Metric(t, "replies_dropped_total") == crowd
	})
	inCrowd(t, "in time", func(key string) {
		if _, err := k.Ledger.Touch(t.Context(), caller, key); err != nil {
			t.Error(err)
		}
	})
}

const crowd = 100 // calls at a time

func inCrowd(t *testing.T, prefix string, call func(key string)) {
	t.Helper()
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() { call(fmt.Sprintf("%s-%d", prefix, i)) })
	}
	all.Wait()
}

// A foreign service that answers each request twice, with a reply for nobody in
// front: each caller has its own answer, and the rest is dropped and counted.
func TestReply_TwiceAndForNobody(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	k := faultkit.New(t, testenv.Broker(t))
	twin(t, k.Broker.URL())
	caller := k.Connect("caller")
	echo := rpc.NewMethod[faultkit.Entry, faultkit.Entry]("twin.echo", serves)
	inCrowd(t, "mine", func(key string) {
		if got, err := echo.Call(t.Context(), caller, faultkit.Entry{Key: key, Token: key}); err != nil || got.Token != key {
			t.Errorf("%s got %+v, %v", key, got, err)
		}
	})
	faultkit.Eventually(t, "the others are dropped and counted", serves, func() bool {
		return caller.Metric(t, "replies_dropped_total") == 2*crowd
	})
}

// twin serves twin.echo.
func twin(t *testing.T, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.ExchangeDeclare("nameko-rpc", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare("rpc-twin", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind("rpc-twin", "twin.*", "nameko-rpc", false, nil); err != nil {
		t.Fatal(err)
	}
	requests, err := channel.Consume("rpc-twin", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		for request := range requests {
			if err := answerTwice(t.Context(), channel, &request); err != nil {
				t.Error(err)
			}
		}
	}()
}

func answerTwice(ctx context.Context, channel *amqp.Channel, request *amqp.Delivery) error {
	var body struct {
		Args []json.RawMessage `json:"args"`
	}
	if err := json.Unmarshal(request.Body, &body); err != nil {
		return err
	}
	reply, err := json.Marshal(map[string]any{"result": map[string]any{"key": body.Args[0], "token": body.Args[1]}, "error": nil})
	if err != nil {
		return err
	}
	for _, id := range []string{"nobody", request.CorrelationId, request.CorrelationId} {
		err := channel.PublishWithContext(ctx, "nameko-rpc", request.ReplyTo, false, false,
			amqp.Publishing{ContentType: "application/json", CorrelationId: id, Body: reply})
		if err != nil {
			return err
		}
	}
	return nil
}

// Callers that vanish while their calls are handled: the worker drops the
// replies, counts them, and goes on.
func TestReply_CallerVanished(t *testing.T) { //nolint:paralleltest // it looks at the whole process
	broker := testenv.Broker(t)
	k := faultkit.New(t, broker)
	release := make(chan struct{})
	worker := k.Serve(k.Ledger.Routes(faultkit.Hooks{After: func(context.Context, faultkit.Entry) error {
		<-release
		return nil
	}}), func(o *rpc.Options) { o.Prefetch = crowd })
	away := faultkit.NewProxy(t, broker.URL())
	caller := k.Behind(away).Connect("caller")
	var all sync.WaitGroup
	all.Go(func() {
		inCrowd(t, "gone", func(key string) {
			if _, err := k.Ledger.Touch(t.Context(), caller, key); rpc.CodeOf(err) != rpc.Unavailable || faultkit.RanOf(err) != rpc.RanMaybe {
				t.Errorf("%v, ran %q; want unavailable, maybe", err, faultkit.RanOf(err))
			}
		})
	})
	faultkit.Eventually(t, "all are at work", serves, func() bool { return worker.Metric(t, "handling") == crowd })
	away.Refuse(true)
	away.Cut()
	all.Wait()
	faultkit.Eventually(t, "the caller's queue is gone", serves, func() bool { return !hasReplyQueue(k.Held()) })
	close(release)
	faultkit.Eventually(t, "the replies are dropped and counted", serves, func() bool {
		return worker.Metric(t, "replies_unsent_total") == crowd
	})
	k.Drained(serves)
	away.Refuse(false)
	faultkit.Eventually(t, "the caller is back", serves, func() bool { return caller.Ready() == nil })
	if _, err := k.Ledger.Touch(t.Context(), caller, "afterwards"); err != nil {
		t.Error(err)
	}
}

func hasReplyQueue(held map[string]int) bool {
	for name := range held {
		if strings.HasPrefix(name, "rpc.reply-caller-") {
			return true
		}
	}
	return false
}
