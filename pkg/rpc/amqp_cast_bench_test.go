package rpc_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/rpc"
	"matriq/pkg/testenv"
)

// BenchmarkAMQP_Cast measures casts that nobody takes, with so many unconfirmed. The
// allocations are those of the sender.
func BenchmarkAMQP_Cast(b *testing.B) {
	type args struct {
		Text string `json:"text"`
	}
	store := rpc.NewCast[args]("bench.store")
	conn, err := rpc.Dial(testenv.AMQP(b), rpc.Options{Service: "bench", Metrics: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	ctx, stop := context.WithCancel(b.Context())
	served := make(chan error, 1)
	go func() {
		served <- conn.Serve(ctx, store.Handle(func(context.Context, args) error { return nil }))
	}()
	for conn.Serving() != nil {
		<-time.After(10 * time.Millisecond)
	}
	stop()
	if err := <-served; err != nil {
		b.Fatal(err)
	}
	for _, window := range []int{1, 64, 512} {
		b.Run(strconv.Itoa(window), func(b *testing.B) {
			b.ReportAllocs()
			var wg sync.WaitGroup
			for c := range window {
				wg.Go(func() {
					for range (b.N + c) / window {
						if err := store.Send(b.Context(), conn, args{Text: "two hundred bytes or so, as student.insert's casts have"}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
