package group_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/group"
)

// table notes the groups that are written, and takes a moment for each.
type table struct {
	groups []string
	at     []time.Time
	letGo  chan struct{}
	bad    int // cannot be written
}

var errBad = errors.New("bad")

// many do not wait for the pace of the tests' groups.
const many = 8

func (t *table) write(_ context.Context, rows []int) error {
	t.at = append(t.at, time.Now())
	<-t.letGo
	rows = slices.Sorted(slices.Values(rows))
	t.groups = append(t.groups, fmt.Sprint(rows))
	if slices.Contains(rows, t.bad) {
		return errBad
	}
	return nil
}

// write writes rows at once and returns what each was told.
func write(t *testing.T, g *group.Group[int], rows ...int) map[int]chan error {
	t.Helper()
	told := map[int]chan error{}
	for _, row := range rows {
		answer := make(chan error, 1)
		told[row] = answer
		go func() { answer <- g.Write(t.Context(), row) }()
	}
	synctest.Wait()
	return told
}

// What comes during a transaction shares the next one.
func TestGroup_Shares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &table{letGo: make(chan struct{})}
		g := group.New(0, many, table.write)
		first := write(t, g, 1)
		others := write(t, g, 2, 3, 4)
		close(table.letGo)
		for _, told := range []map[int]chan error{first, others} {
			for row, c := range told {
				if err := <-c; err != nil {
					t.Errorf("%d: %v", row, err)
				}
			}
		}
		if got := fmt.Sprint(table.groups); got != "[[1] [2 3 4]]" {
			t.Errorf("the groups are %s, want 1 alone and then the others together", got)
		}
	})
}

// Who comes alone waits for nobody; the next group begins at its pace.
func TestGroup_Pace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pace = 20 * time.Millisecond
		table := &table{letGo: make(chan struct{})}
		close(table.letGo)
		g := group.New(pace, many, table.write)
		begun := time.Now()
		for _, rows := range [][]int{{1}, {2, 3}} {
			for row, c := range write(t, g, rows...) {
				if err := <-c; err != nil {
					t.Errorf("%d: %v", row, err)
				}
			}
		}
		<-time.After(pace) // after which nobody looks for more
		synctest.Wait()
		if got := fmt.Sprint(table.groups); got != "[[1] [2 3]]" {
			t.Errorf("the groups are %s, want 1 alone and then the others together", got)
		}
		for i, want := range []time.Duration{0, pace} {
			if got := table.at[i].Sub(begun); got != want {
				t.Errorf("group %d began after %v, want %v", i, got, want)
			}
		}
	})
}

// What is wrong with one fails that one alone.
func TestGroup_OneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &table{letGo: make(chan struct{}), bad: 3}
		g := group.New(0, many, table.write)
		write(t, g, 1)
		told := write(t, g, 2, 3, 4)
		close(table.letGo)
		for row, c := range told {
			if err := <-c; (err != nil) != (row == 3) {
				t.Errorf("%d: %v", row, err)
			}
		}
	})
}

// Whoever goes holds up nobody, and is told so.
func TestGroup_ContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &table{letGo: make(chan struct{})}
		g := group.New(0, many, table.write)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Write(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want canceled", err)
		}
		told := write(t, g, 2)
		close(table.letGo)
		if err := <-told[2]; err != nil {
			t.Errorf("2: %v", err)
		}
	})
}

// Many do not wait for the pace, and those after them do again.
func TestGroup_ManyBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pace = time.Second
		table := &table{letGo: make(chan struct{})}
		close(table.letGo)
		g := group.New(pace, many, table.write)
		begun := time.Now()
		write(t, g, 1)
		write(t, g, 2, 3, 4, 5, 6, 7, 8, 9)
		write(t, g, 10)
		<-time.After(2 * pace)
		synctest.Wait()
		if got := fmt.Sprint(table.groups); got != "[[1] [2 3 4 5 6 7 8 9] [10]]" {
			t.Errorf("the groups are %s", got)
		}
		for i, want := range []time.Duration{0, 0, pace} {
			if got := table.at[i].Sub(begun); got != want {
				t.Errorf("group %d began after %v, want %v", i, got, want)
			}
		}
	})
}

type nameKey struct{}

// What is written for a group goes by the values of one of its own, and outlives it.
func TestGroup_ContextOfTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []any
		g := group.New(time.Minute, many, func(ctx context.Context, _ []int) error {
			names = append(names, ctx.Value(nameKey{}))
			return ctx.Err()
		})
		for _, name := range []string{"malee", "somchai"} {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), nameKey{}, name))
			time.AfterFunc(time.Second, cancel)
			_ = g.Write(ctx, 1) // who goes is told so
		}
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if got := fmt.Sprint(names); got != "[malee somchai]" {
			t.Errorf("written for %s", got)
		}
	})
}
