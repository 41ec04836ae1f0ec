package student

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// table notes the groups that a finisher writes, and takes a moment for each.
type table struct {
	groups []string
	letGo  chan struct{}
	bad    int64 // the student who cannot be noted
}

var errBad = errors.New("bad")

func (t *table) write(_ context.Context, all []finished) error {
	<-t.letGo
	var ids []int64
	for _, f := range all {
		ids = append(ids, f.id)
	}
	slices.Sort(ids)
	t.groups = append(t.groups, fmt.Sprint(ids))
	if slices.Contains(ids, t.bad) {
		return errBad
	}
	return nil
}

// finish has students finish at once and returns what each was told, by ID.
func finish(t *testing.T, f *finisher, ids ...int64) map[int64]chan error {
	t.Helper()
	told := map[int64]chan error{}
	for _, id := range ids {
		answer := make(chan error, 1)
		told[id] = answer
		go func() { answer <- f.finish(t.Context(), finished{id: id}) }()
	}
	synctest.Wait()
	return told
}

// What comes during a transaction shares the next one.
func TestFinisher_Groups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &table{letGo: make(chan struct{})}
		f := &finisher{write: table.write}
		first := finish(t, f, 1)
		others := finish(t, f, 2, 3, 4)
		close(table.letGo)
		for _, told := range []map[int64]chan error{first, others} {
			for id, c := range told {
				if err := <-c; err != nil {
					t.Errorf("%d: %v", id, err)
				}
			}
		}
		if got := fmt.Sprint(table.groups); got != "[[1] [2 3 4]]" {
			t.Errorf("the groups are %s, want 1 alone and then the others together", got)
		}
	})
}

// What is wrong with one fails that one alone.
func TestFinisher_OneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &table{letGo: make(chan struct{}), bad: 3}
		f := &finisher{write: table.write}
		finish(t, f, 1)
		told := finish(t, f, 2, 3, 4)
		close(table.letGo)
		for id, c := range told {
			if err := <-c; (err != nil) != (id == 3) {
				t.Errorf("%d: %v", id, err)
			}
		}
	})
}

// Whoever goes holds up nobody, and is told so.
func TestFinisher_ContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &table{letGo: make(chan struct{})}
		f := &finisher{write: table.write}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.finish(ctx, finished{id: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want canceled", err)
		}
		told := finish(t, f, 2)
		close(table.letGo)
		if err := <-told[2]; err != nil {
			t.Errorf("2: %v", err)
		}
	})
}
