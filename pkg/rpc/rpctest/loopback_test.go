package rpctest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
)

type greetArgs struct {
	Name string `json:"name"`
}

var greet = rpc.NewMethod[greetArgs, string]("demo.greet", time.Second)

func TestLoopback(t *testing.T) {
	t.Parallel()
	conn := rpctest.Loopback(t, greet.Handle(func(_ context.Context, a greetArgs) (string, error) {
		if a.Name == "" {
			return "", errors.New("secret")
		}
		return "hello " + a.Name, nil
	}))
	got, err := greet.Call(t.Context(), conn, greetArgs{Name: "you"})
	if got != "hello you" || err != nil {
		t.Errorf("greet = %q, %v", got, err)
	}
	if _, err := greet.Call(t.Context(), conn, greetArgs{}); rpc.CodeOf(err) != rpc.Internal {
		t.Errorf("greet nobody: %v, want internal", err)
	}
}
