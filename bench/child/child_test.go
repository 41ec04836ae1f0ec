package child_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"matriq/bench/child"
)

// TestMain is the child as well: a test starts its own program.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == child.Argument {
		if err := child.Serve(context.Background(), os.Stdin, os.Stdout, handlers()); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func handlers() map[string]child.Handler {
	return map[string]child.Handler{
		"double": child.Answers(func(_ context.Context, n int) (int, error) { return 2 * n, nil }),
		"fail":   child.Answers(func(context.Context, struct{}) (int, error) { return 0, errors.New("no such thing") }),
		"hang": child.Answers(func(context.Context, struct{}) (int, error) {
			select {}
		}),
	}
}

func start(t *testing.T) *child.Child {
	t.Helper()
	c, err := child.Start("calculator", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChild_AnswersAndEnds(t *testing.T) {
	t.Parallel()
	c := start(t)
	var got int
	if err := c.Ask(t.Context(), "double", 21, &got); err != nil || got != 42 {
		t.Errorf("double 21 is %d, %v", got, err)
	}
	for name, want := range map[string]string{"fail": "no such thing", "unheard": "there is no question unheard"} {
		if err := c.Ask(t.Context(), name, struct{}{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A question that is given up ends the child, so that no later one gets its answer.
func TestChild_GivenUp(t *testing.T) {
	t.Parallel()
	c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ask(ctx, "hang", struct{}{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("ask: %v, want canceled", err)
	}
	if err := c.Stop(); err == nil {
		t.Error("the child ended as if nothing had been")
	}
}
