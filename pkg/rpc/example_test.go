package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matriq/pkg/rpc"
)

type greetRequest struct {
	Name string `json:"name"`
}

type sealArgs struct {
	Letter string `json:"letter"`
}

type sealedEvent struct {
	Letter string `json:"letter"`
}

var (
	greetMethod = rpc.NewMethod[greetRequest, string]("desk.greet", time.Second)
	sealCast    = rpc.NewCast[sealArgs]("desk.seal")
	sealedNews  = rpc.NewEvent[sealedEvent]("desk", "sealed")
)

// serving serves routes until stop is called.
func serving(broker *rpc.MemoryBroker, routes ...rpc.Route) (conn *rpc.Conn, stop func()) {
	started, ended := make(chan struct{}), make(chan error, 1)
	conn = broker.Connect(rpc.Options{Service: "desk", OnServe: func() { close(started) }})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- conn.Serve(ctx, routes...) }()
	<-started
	return conn, func() {
		cancel()
		if err := errors.Join(<-ended, conn.Close(context.Background())); err != nil {
			fmt.Println(err)
		}
	}
}

func ExampleMethod() {
	conn, stop := serving(rpc.NewMemoryBroker(), greetMethod.Handle(func(_ context.Context, r greetRequest) (string, error) {
		if r.Name == "" {
			return "", rpc.Errorf(rpc.InvalidArgument, "tell us your name").Because("no_name")
		}
		return "hello " + r.Name, nil
	}))
	defer stop()

	fmt.Println(greetMethod.Call(context.Background(), conn, greetRequest{Name: "Mali"}))
	_, err := greetMethod.Call(context.Background(), conn, greetRequest{})
	fmt.Println(rpc.CodeOf(err), rpc.ReasonOf(err))
	// Output:
	// hello Mali <nil>
	// invalid_argument no_name
}

func ExampleCast() {
	done := make(chan string)
	conn, stop := serving(rpc.NewMemoryBroker(), sealCast.Handle(func(ctx context.Context, a sealArgs) error {
		done <- a.Letter + " under " + rpc.KeyFrom(ctx)
		return nil
	}))
	defer stop()

	ctx := rpc.WithKey(context.Background(), "key 1")
	if err := sealCast.Send(ctx, conn, sealArgs{Letter: "a letter"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-done)
	// Output: a letter under key 1
}

func ExampleEvent() {
	heard := make(chan string)
	conn, stop := serving(rpc.NewMemoryBroker(), sealedNews.On("archive.on_sealed", func(_ context.Context, e sealedEvent) error {
		heard <- e.Letter
		return nil
	}))
	defer stop()

	if err := sealedNews.Emit(context.Background(), conn, sealedEvent{Letter: "a letter"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-heard)
	// Output: a letter
}

// An operator looks at what nobody could finish, and has it done again.
func ExampleConn_Replay() {
	broken, done := true, make(chan string)
	conn, stop := serving(rpc.NewMemoryBroker(), sealCast.Handle(func(_ context.Context, a sealArgs) error {
		if broken {
			broken = false
			return fmt.Errorf("the wax is gone: %w", rpc.ErrPermanent)
		}
		done <- a.Letter
		return nil
	}))
	defer stop()

	ctx := context.Background()
	if err := sealCast.Send(ctx, conn, sealArgs{Letter: "a letter"}); err != nil {
		fmt.Println(err)
	}
	for {
		letters, err := conn.Parked(ctx, "desk", 10)
		if err != nil {
			fmt.Println(err)
			return
		}
		if len(letters) == 1 {
			fmt.Println(letters[0].Method, letters[0].Reason, conn.Replay(ctx, "desk", letters[0].ID))
			break
		}
	}
	fmt.Println(<-done)
	// Output:
	// desk.seal permanent <nil>
	// a letter
}

func ExampleTopologyOf() {
	fmt.Print(rpc.TopologyOf(greetMethod.Handle(func(context.Context, greetRequest) (string, error) { return "", nil })))
	// Output:
	// exchange nameko-rpc topic
	// queue    rpc-desk
	// queue    desk.call.v1 x-expires=60000
	// binding  nameko-rpc desk.* -> rpc-desk
}
