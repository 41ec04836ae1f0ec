package peer

import (
	"context"
	"time"

	"matriq/bench/child"
	"matriq/bench/measure"
	"matriq/bench/rival"
	"matriq/pkg/rpc"
)

// MatriqCastQueue is where the casts of the role are stored.
const MatriqCastQueue = "bench.work.v1"

func store() rpc.Cast[echoRequest] { return rpc.NewCast[echoRequest]("bench.store") }

// matriqCaster has as many goroutines as casts may be unconfirmed, since each
// waits for its own.
func matriqCaster(context.Context) map[string]child.Handler {
	var conn *rpc.Conn
	return map[string]child.Handler{
		AskOpen: child.Answers(func(ctx context.Context, url string) (done, error) {
			var err error
			if conn, err = dial(ctx, url, "bench_caster"); err != nil {
				return done{}, err
			}
			return done{}, declare(ctx, url)
		}),
		AskRun: child.Answers(func(ctx context.Context, r Run) (measure.Sample, error) {
			text, cast := textOf(r.Bytes), store()
			return checked(loop(ctx, r.Users, r.Length, func(ctx context.Context, _ int) error {
				return cast.Send(ctx, conn, echoRequest{Text: text})
			}))
		}),
	}
}

// declare makes the queues of the service and leaves them to themselves: a row
// empties them between rounds.
func declare(ctx context.Context, url string) error {
	conn, err := dial(ctx, url, "bench")
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() {
		failed <- conn.Serve(serving, store().Handle(func(context.Context, echoRequest) error { return nil }))
	}()
	if err := poll(ctx, conn.Serving); err != nil {
		return err
	}
	stop()
	if err := <-failed; err != nil {
		return err
	}
	return conn.Close(ctx)
}

func rawCaster(context.Context) map[string]child.Handler {
	var caster *rival.Caster
	return map[string]child.Handler{
		AskOpen: child.Answers(func(_ context.Context, url string) (done, error) {
			var err error
			caster, err = rival.NewCaster(url)
			return done{}, err
		}),
		AskRun: child.Answers(func(_ context.Context, r Run) (measure.Sample, error) {
			took := make([]time.Duration, 0, 1024+int(r.Length.Seconds()*perSecond*16))
			before, began := mallocs(), time.Now()
			err := caster.Cast(bodyOf(textOf(r.Bytes)), r.Users, r.Length, func(d time.Duration) { took = append(took, d) })
			if err != nil {
				return measure.Sample{}, err
			}
			return summary([][]time.Duration{took}, []int{0}, time.Since(began), mallocs()-before), nil
		}),
	}
}
