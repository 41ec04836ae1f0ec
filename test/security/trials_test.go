package security_test

import (
	"slices"
	"testing"
)

// trial is an attack on the system that all trials share. It leaves the system
// as it was, but for addresses and sources of its own: see [system.listed] and
// [system.client].
type trial struct {
	name string
	run  func(*testing.T, *system)
}

// trials are all that share a system, in the order in which they run.
func trials() []trial {
	return slices.Concat(
		codeTrials(),
		limitTrials(),
		sessionTrials(),
		pageTrials(),
		addressTrials(),
		slowTrials(),
		requestTrials(),
	)
}

func TestSystem(t *testing.T) { //nolint:paralleltest // one after the other: some measure
	s := startSystem(t, nil)
	for _, trial := range trials() { //nolint:paralleltest // the same
		t.Run(trial.name, func(t *testing.T) { trial.run(t, s) })
	}
}
