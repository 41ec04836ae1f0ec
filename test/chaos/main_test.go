// Package chaos_test registers people by REST while every process of the system,
// its servers included, is killed with SIGKILL again and again, and then compares
// what people were told with what the databases and the mailboxes have.
//
// Each seed is a run of its own, on servers of its own. The seed decides who is
// killed in which order; the order in which the machine then does things is not
// in its power, so that a seed that failed once may pass the next time.
//
// CHAOS_SEEDS is the number of seeds, 3 unless set; CHAOS_SEED is one seed to
// run again. What a run leaves, above all the logs, is kept with
// go test -artifacts.
package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const seedsUnlessSet = 3

// eachSeed runs test once for each seed, one after the other.
func eachSeed(t *testing.T, test func(t *testing.T, seed uint64)) {
	t.Helper()
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Logf("the seed is %d: run it again with CHAOS_SEED=%d", seed, seed)
			test(t, seed)
		})
	}
}

// seeds returns the seed that was asked for, or as many random ones.
func seeds(t *testing.T) []uint64 {
	t.Helper()
	if seed, ok := number(t, "CHAOS_SEED"); ok {
		return []uint64{seed}
	}
	n, ok := number(t, "CHAOS_SEEDS")
	if !ok {
		n = seedsUnlessSet
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = 1 + rand.Uint64N(1_000_000) //nolint:gosec // G404: short, for it is typed again
	}
	return list
}

// number reads a variable of the environment, which is how make hands it on.
func number(t *testing.T, name string) (n uint64, ok bool) {
	t.Helper()
	text := os.Getenv(name) //nolint:forbidigo // a test has no service.Env
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("%s is %q, want a number above 0", name, text)
	}
	return n, true
}
