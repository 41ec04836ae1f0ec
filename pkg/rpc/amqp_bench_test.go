package rpc

import (
	"strconv"
	"sync"
	"testing"

	"matriq/pkg/testenv"
)

// BenchmarkAMQP_Publish measures confirmed publishes to a classic queue, from one
// caller that waits for each confirm, and from 256 at once.
func BenchmarkAMQP_Publish(b *testing.B) {
	url := testenv.AMQP(b)
	for _, callers := range []int{1, 256} {
		for name, transient := range map[string]bool{"transient": true, "stored": false} {
			b.Run(strconv.Itoa(callers)+"/"+name, func(b *testing.B) {
				k := connect(b, url)
				queue := k.queue(map[string]any{"x-max-length": int64(1000)}) // the oldest are dropped
				body := make([]byte, 200)
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for c := range callers {
					wg.Go(func() {
						for range (b.N + c) / callers {
							if err := publishAndWait(b.Context(), k, &envelope{key: queue, mandatory: true, transient: transient, body: body}, true); err != nil {
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
}
