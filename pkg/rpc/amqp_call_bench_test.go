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

// BenchmarkAMQP_Call measures a typed call from one connection to another, with
// what a gateway's calls take along. The allocations are those of both sides.
func BenchmarkAMQP_Call(b *testing.B) {
	type request struct {
		Text string `json:"text"`
	}
	echo := rpc.NewMethod[request, string]("bench.echo", 5*time.Second)
	url := testenv.AMQP(b)
	var ends [2]*rpc.Conn
	for i, name := range []string{"bench", "bench_caller"} {
		conn, err := rpc.Dial(url, rpc.Options{Service: name, Metrics: prometheus.NewRegistry()})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close(context.Background()) })
		ends[i] = conn
	}
	ctx, stop := context.WithCancel(b.Context())
	served := make(chan error, 1)
	go func() {
		served <- ends[0].Serve(ctx, echo.Handle(func(_ context.Context, r request) (string, error) { return r.Text, nil }))
	}()
	for ends[0].Serving() != nil || ends[1].Ready() != nil {
		<-time.After(10 * time.Millisecond)
	}
	for _, callers := range []int{1, 16} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			calling := rpc.WithMeta(b.Context(), rpc.Meta{Language: "th", RequestID: "d41d8cd98f00b204", ClientIP: "192.0.2.17"})
			b.ReportAllocs()
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for range (b.N + c) / callers {
						if _, err := echo.Call(calling, ends[1], request{Text: "sixty bytes or so, as most calls have"}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
	stop()
	if err := <-served; err != nil {
		b.Error(err)
	}
}
