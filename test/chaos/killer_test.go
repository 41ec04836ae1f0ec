package chaos_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// killEvery is the pause between two kills.
const killEvery = 300 * time.Millisecond

// card names who is to be killed next: a kind, and which of its replicas.
type card struct {
	kind  string
	which int
}

// killer kills victims in the order of a deck of cards that the seed has
// shuffled, so that no kind is forgotten, and has them come back at once.
type killer struct {
	t       *testing.T
	random  *rand.Rand
	kinds   map[string]int // cards of each kind in a deck
	victims map[string][]*victim
	deck    []card

	kills    map[string]int
	revivals sync.WaitGroup
}

func newKiller(t *testing.T, seed uint64, kinds map[string]int, victims []*victim) *killer {
	t.Helper()
	k := &killer{
		t: t, kinds: kinds, victims: map[string][]*victim{}, kills: map[string]int{},
		random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // G404: it must be repeatable
	}
	for _, v := range victims {
		k.victims[v.kind] = append(k.victims[v.kind], v)
	}
	return k
}

// rage kills until calm is closed, yet not before each kind has had its turn,
// and returns when all victims live again.
func (k *killer) rage(ctx context.Context, calm <-chan struct{}) {
	k.t.Helper()
	tick := time.NewTicker(killEvery)
	defer tick.Stop()
	defer k.revivals.Wait()
	for ctx.Err() == nil {
		select {
		case <-calm:
			if k.missed() == "" {
				return
			}
		default:
		}
		select {
		case <-tick.C:
			k.strike(ctx)
		case <-ctx.Done():
		}
	}
}

// missed returns a kind that was not killed yet.
func (k *killer) missed() string {
	for kind := range k.kinds {
		if k.kills[kind] == 0 {
			return kind
		}
	}
	return ""
}

// check fails the test unless every kind was killed.
func (k *killer) check(t *testing.T) {
	t.Helper()
	if kind := k.missed(); kind != "" {
		t.Errorf("no %s was killed", kind)
	}
}

// strike kills the first in the deck who lives.
func (k *killer) strike(ctx context.Context) {
	if len(k.deck) == 0 {
		k.shuffle()
	}
	for i, c := range k.deck {
		v := k.victims[c.kind][c.which]
		killed, err := v.end()
		if err != nil {
			k.t.Error(err)
		}
		if killed {
			k.deck = slices.Delete(k.deck, i, i+1)
			k.kills[c.kind]++
			k.revive(ctx, v)
			return
		}
	}
}

func (k *killer) revive(ctx context.Context, v *victim) {
	k.revivals.Go(func() {
		if err := v.begin(context.WithoutCancel(ctx)); err != nil {
			k.t.Error(err)
		}
	})
}

// shuffle makes a new deck. Kinds are taken in alphabetical order, so that the
// seed alone decides.
func (k *killer) shuffle() {
	var names []string
	for kind := range k.kinds {
		names = append(names, kind)
	}
	slices.Sort(names)
	for _, kind := range names {
		for i := range k.kinds[kind] {
			k.deck = append(k.deck, card{kind, i % len(k.victims[kind])})
		}
	}
	k.random.Shuffle(len(k.deck), func(i, j int) { k.deck[i], k.deck[j] = k.deck[j], k.deck[i] })
}
