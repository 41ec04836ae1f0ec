package ui

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// trips counts the round trips of a client, without those that greet the server.
type trips struct{ n int }

func (t *trips) count(first redis.Cmder) {
	if name := first.Name(); name != "hello" && name != "client" {
		t.n++
	}
}

// DialHook implements [redis.Hook].
func (*trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements [redis.Hook].
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.count(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.count(cmds[0])
		return next(ctx, cmds)
	}
}

// A session that gets a new token takes one round trip, is there under the new one
// alone, and under the old one when the end of that could not be told.
func TestStore_Move(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	s, err := newStore(client, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	has := func(token, want string) {
		t.Helper()
		data, found, err := s.FindCtx(t.Context(), token)
		if string(data) != want || found != (want != "") || err != nil {
			t.Errorf("under %s there is %q, %v, %v; want %q", token, data, found, err, want)
		}
	}
	count := &trips{}
	client.AddHook(count)
	if err := s.move(t.Context(), "", "first", []byte("A"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := s.move(t.Context(), "first", "second", []byte("B"), time.Hour); err != nil || count.n != 2 {
		t.Fatalf("err %v after %d round trips, want 2 for two moves", err, count.n)
	}
	has("first", "")
	has("second", "B")

	srv.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
		if cmd == "DEL" {
			c.Close() // the server dies between the two
		}
		return cmd == "DEL"
	})
	if err := s.move(t.Context(), "second", "third", []byte("C"), time.Hour); !errors.Is(err, errStore) {
		t.Errorf("err = %v, want that of the store", err)
	}
	has("second", "B")
	srv.Server().SetPreHook(nil)

	if err := s.move(t.Context(), "second", "fourth", []byte("D"), 0); err != nil {
		t.Fatal(err)
	}
	has("second", "")
	has("fourth", "")
}
