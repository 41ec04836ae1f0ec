package rpc_test

import (
	"context"
	"log/slog"
	"time"

	"matriq/pkg/rpc"
)

func ExampleDial() {
	conn, err := rpc.Dial("amqp://guest:guest@localhost:5672/", rpc.Options{Service: "gateway", Log: slog.Default()})
	if err != nil {
		return // the URL is malformed; a broker that is down is no error
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	defer conn.Close(ctx)
	type addArgs struct{ A, B int }
	add := rpc.NewMethod[addArgs, int]("demo.add", time.Second)
	_, _ = add.Call(ctx, conn, addArgs{1, 2})
}
