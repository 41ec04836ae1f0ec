package swarm_test

import (
	"slices"
	"testing"

	"matriq/test/swarm/load"
)

// rotated are the secrets that are replaced while people use what they protect:
// the password by which the pages call the gateways, the key of the codes' hashes,
// the key under which codes travel to the mail, and that of the proofs. One node, which has the least
// time, replaces the first.
func (s *stack) rotated() []string {
	all := []string{"api", "otp_pepper", "otp_seal_key", "otp_proof_key"}
	if len(s.swarm.Nodes) == 1 {
		return all[:1]
	}
	return all
}

// rotateSecret: each is replaced by a new one. There is one step for each service,
// after which nothing need be waited for.
func rotateSecret(t *testing.T, s *stack) load.Report {
	usual := s.env
	s.env = append(slices.Clone(usual), "UPDATE_DELAY=1s")
	defer func() { s.env = usual }()
	return s.under(t, load.Usual(), func() {
		for _, secret := range s.rotated() {
			s.script(t, "rotate", secret)
			s.settle(t)
		}
	})
}

// deployAgain: the stack is removed, and deployed again on the volumes that it
// leaves. Whoever was told "registered" before is there, which the ledger checks,
// and the next person can register.
func deployAgain(t *testing.T, s *stack) load.Report {
	s.script(t, "down")
	s.deploy(t)
	s.checkTold(t, nil)
	run := load.Start(t.Context(), s.site, s.crowd, load.Plan{})
	person := run.Visitor()
	if err := person.AskCode(t.Context()); err != nil {
		t.Errorf("the next person asks for a code: %v", err)
		return run.Stop()
	}
	if err := person.Finish(t.Context()); err != nil {
		t.Errorf("the next person registers: %v", err)
	}
	return run.Stop()
}
