package redisconn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/redisconn"
)

// trips is a Redis that keeps each round trip until it is let go, and refuses "bad".
type trips struct {
	mu   sync.Mutex
	were [][]string // commands of each
	gate chan struct{}
}

var errBad = errors.New("bad")

func (t *trips) answer(cmds ...redis.Cmder) error {
	t.mu.Lock()
	var names []string
	for _, cmd := range cmds {
		names = append(names, fmt.Sprint(cmd.Args()...))
	}
	t.were = append(t.were, names)
	t.mu.Unlock()
	<-t.gate
	var err error
	for _, cmd := range cmds {
		if cmd.Args()[0] == "bad" {
			cmd.SetErr(errBad)
			err = errBad
		}
	}
	return err
}

func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (t *trips) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error { return t.answer(cmd) }
}

func (t *trips) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error { return t.answer(cmds...) }
}

func newTrips(t *testing.T) (*trips, *redisconn.Shared) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}) // it is never asked
	t.Cleanup(func() { _ = client.Close() })
	all := &trips{gate: make(chan struct{})}
	client.AddHook(all)
	return all, redisconn.NewShared(client)
}

func onServer(t *testing.T) (*miniredis.Miniredis, *redisconn.Shared) {
	t.Helper()
	server := miniredis.RunT(t)
	client, err := redisconn.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return server, redisconn.NewShared(client)
}

// What comes while a round trip is under way shares the next one, and each has its own
// outcome.
func TestShared_OneTripForMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, shared := newTrips(t)
		outcomes := map[string]error{}
		var mu sync.Mutex
		var people sync.WaitGroup
		for _, name := range []string{"alone", "a", "bad", "b"} {
			people.Go(func() {
				err := shared.Do(t.Context(), redis.NewCmd(t.Context(), name))
				mu.Lock()
				defer mu.Unlock()
				outcomes[name] = err
			})
			synctest.Wait() // so that they come in this order
		}
		close(all.gate)
		people.Wait()
		if len(all.were) != 2 || !slices.Equal(all.were[0], []string{"alone"}) || !slices.Equal(all.were[1], []string{"a", "bad", "b"}) {
			t.Errorf("the round trips had %q, want the first one alone and the others together", all.were)
		}
		if outcomes["alone"] != nil || outcomes["a"] != nil || outcomes["b"] != nil || !errors.Is(outcomes["bad"], errBad) {
			t.Errorf("outcomes %v, want an error of bad alone", outcomes)
		}
	})
}

// Who does not wait any more is told so, and what he asked for is not done later.
func TestShared_EndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, shared := newTrips(t)
		ctx, cancel := context.WithCancel(t.Context())
		var people sync.WaitGroup
		people.Go(func() {
			if err := shared.Do(t.Context(), redis.NewCmd(t.Context(), "first")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		people.Go(func() {
			cmd := shared.EvalSha(ctx, "abc", []string{"k1", "k2"}, "v")
			if !errors.Is(cmd.Err(), context.Canceled) {
				t.Errorf("error %v, want that of the context", cmd.Err())
			}
		})
		synctest.Wait()
		people.Go(func() {
			if err := shared.EvalSha(t.Context(), "def", []string{"k1", "k2"}, "v").Err(); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(all.gate)
		people.Wait()
		synctest.Wait()
		if want := fmt.Sprint("evalsha", "def", 2, "k1", "k2", "v"); len(all.were) != 2 || !slices.Equal(all.were[1], []string{want}) {
			t.Errorf("the round trips had %q, want that the second has %s alone", all.were, want)
		}
	})
}

// A transaction shares the round trip of others, and nothing of theirs comes between.
func TestShared_TransactionInOnePiece(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, shared := newTrips(t)
		var people sync.WaitGroup
		come := func(do func() error) {
			people.Go(func() {
				if err := do(); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // so that they come in this order
		}
		single := func(name string) func() error {
			return func() error { return shared.Do(t.Context(), redis.NewCmd(t.Context(), name)) }
		}
		come(single("first"))
		come(single("a"))
		come(func() error {
			return shared.DoAll(t.Context(), redis.NewStatusCmd(t.Context(), "set", "k", "v"), redis.NewIntCmd(t.Context(), "del", "l"))
		})
		come(single("b"))
		close(all.gate)
		people.Wait()
		want := []string{"a", "multi", fmt.Sprint("set", "k", "v"), fmt.Sprint("del", "l"), "exec", "b"}
		if len(all.were) != 2 || !slices.Equal(all.were[1], want) {
			t.Errorf("the round trips had %q, want %q in the second", all.were, want)
		}
	})
}

// A transaction is done as a whole, and whoever sent it is told what was wrong with it.
func TestShared_Transaction(t *testing.T) {
	t.Parallel()
	server, shared := onServer(t)
	set := func(key, value string) redis.Cmder { return redis.NewStatusCmd(t.Context(), "set", key, value) }
	for _, tc := range []struct {
		name, fails string
		cmds        []redis.Cmder
		done        bool
	}{
		{"good", "", []redis.Cmder{set("a", "1"), redis.NewIntCmd(t.Context(), "del", "before")}, true},
		{"refused", "wrong number of arguments", []redis.Cmder{set("b", "1"), redis.NewCmd(t.Context(), "incr")}, false},
		{"fails as it is done", "not an integer", []redis.Cmder{set("c", "word"), redis.NewIntCmd(t.Context(), "incr", "c")}, true},
	} {
		err := shared.DoAll(t.Context(), tc.cmds...)
		if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.fails)
		}
		key := fmt.Sprint(tc.cmds[0].Args()[1])
		if server.Exists(key) != tc.done {
			t.Errorf("%s: its first command is done: %v, want %v", tc.name, server.Exists(key), tc.done)
		}
	}
}

// Against a server: results come to whom they belong, also when scripts are unknown to
// it or fail.
func TestShared_Server(t *testing.T) {
	t.Parallel()
	_, shared := onServer(t)
	echo := redis.NewScript(`if ARGV[1] == "13" then return redis.error_reply("unlucky") end return {KEYS[1], ARGV[1]}`)
	var people sync.WaitGroup
	for i := range 50 {
		people.Go(func() {
			key := fmt.Sprint("k", i)
			got, err := echo.Run(t.Context(), shared, []string{key}, i).StringSlice()
			switch {
			case i == 13:
				if err == nil || !strings.Contains(err.Error(), "unlucky") {
					t.Errorf("13 is answered %q, %v; want its error", got, err)
				}
			case err != nil || !slices.Equal(got, []string{key, fmt.Sprint(i)}):
				t.Errorf("%d is answered %q, %v", i, got, err)
			}
		})
	}
	people.Wait()
}

// Nobody takes a server that is not there for one that has done it.
func TestShared_NoServer(t *testing.T) {
	t.Parallel()
	client, err := redisconn.Open("redis://" + closedAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	shared := redisconn.NewShared(client)
	var people sync.WaitGroup
	for range 20 {
		people.Go(func() {
			if err := shared.Do(t.Context(), redis.NewStatusCmd(t.Context(), "set", "k", "v")); err == nil {
				t.Error("a command succeeds without a server")
			}
		})
	}
	people.Wait()
}
