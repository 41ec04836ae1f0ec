package rpc_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/rpc"
)

// What is told at once goes in one message, and who comes alone waits for nobody.
func TestGather(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		var messages [][]text
		var at []time.Duration
		begun := time.Now()
		conn := serve(t, b, rpc.Options{}, told.OnAll("demo.on_told", func(_ context.Context, all []text) error {
			messages, at = append(messages, all), append(at, time.Since(begun))
			return nil
		}))
		gathered := told.Gather(conn)
		must(t, gathered.Emit(t.Context(), text{"a"}))
		var telling sync.WaitGroup
		for _, one := range []string{"b", "c"} {
			telling.Go(func() { must(t, gathered.Emit(t.Context(), text{one})) })
		}
		telling.Wait()
		<-time.After(time.Second)
		synctest.Wait()
		if len(messages) != 2 || !slices.Equal(messages[0], []text{{"a"}}) || len(messages[1]) != 2 {
			t.Fatalf("messages %q, want a alone and then the others", messages)
		}
		if at[0] != 0 || at[1] != 50*time.Millisecond {
			t.Errorf("told after %v, want at once and after 50 ms", at)
		}
	})
}

// Of a worker with a small prefetch no more wait for others than it has handlers.
func TestGather_SmallPrefetch(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		var messages [][]text
		serve(t, b, rpc.Options{}, told.OnAll("demo.on_told", func(_ context.Context, all []text) error {
			messages = append(messages, all)
			return nil
		}))
		gathered := told.Gather(connect(t, b, rpc.Options{Service: "teller", Prefetch: 2}))
		begun := time.Now()
		must(t, gathered.Emit(t.Context(), text{"a"}))
		synctest.Wait() // so that it is heard of first
		var telling sync.WaitGroup
		for _, one := range []string{"b", "c"} {
			telling.Go(func() { must(t, gathered.Emit(t.Context(), text{one})) })
		}
		telling.Wait()
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("two of a prefetch of two waited for %v", waited)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if len(messages) != 2 || len(messages[1]) != 2 {
			t.Errorf("messages %q, want a alone and then the others", messages)
		}
	})
}

// What is no object has no place for others, and goes in a message of its own.
func TestGather_NoObject(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		named := rpc.NewEvent[string]("demo", "named")
		names := make(chan string, 3)
		conn := serve(t, b, rpc.Options{}, named.On("demo.on_named", func(_ context.Context, name string) error {
			names <- name
			return nil
		}))
		gathered := named.Gather(conn)
		var telling sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			telling.Go(func() { must(t, gathered.Emit(t.Context(), name)) })
		}
		telling.Wait()
		<-time.After(time.Second)
		synctest.Wait()
		if len(names) != 3 {
			t.Errorf("%d came, want 3", len(names))
		}
	})
}

// Each of those that came together has the key that it would have had alone.
func TestGather_Keys(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		keys := map[string]string{}
		conn := serve(t, b, rpc.Options{}, told.On("demo.on_told", func(ctx context.Context, e text) error {
			keys[e.Text] = rpc.KeyFrom(ctx)
			return nil
		}))
		gathered := told.Gather(conn)
		var telling sync.WaitGroup
		for _, one := range []string{"a", "b", "c", ""} {
			telling.Go(func() { must(t, gathered.Emit(rpc.WithKey(t.Context(), one), text{one})) })
		}
		telling.Wait()
		<-time.After(time.Second)
		synctest.Wait()
		for _, one := range []string{"a", "b", "c"} {
			if keys[one] != one {
				t.Errorf("%s has the key %q", one, keys[one])
			}
		}
		if keys[""] == "" {
			t.Error("one has no key")
		}
	})
}
