package security_test

import (
	"net/http"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// rotation replaces a key in a running system, a replica at a time.
type rotation struct {
	*system
	setting  string
	services []string
	// out are the codes that are out, by address.
	out map[string]string
}

// roll gives all replicas a new value of the setting, one after the other. Before
// the first and after each replica somebody asks for a code, and somebody whose
// code is out types it.
func (r *rotation) roll(t *testing.T, value string) {
	t.Helper()
	r.Set(r.setting, value)
	r.issue(t)
	for _, service := range r.services {
		for range r.Replicas(service) {
			r.Replace(t, service, 0)
			r.issue(t)
			r.typeOldest(t)
		}
	}
}

// issue asks for a code and waits for its mail.
func (r *rotation) issue(t *testing.T) {
	t.Helper()
	email := r.listed(t)
	r.out[email] = r.codeFor(t, r.client(), email)
}

// typeOldest proves an address whose code is out; addresses are in the order of
// their making.
func (r *rotation) typeOldest(t *testing.T) {
	t.Helper()
	oldest := ""
	for email := range r.out {
		if oldest == "" || email < oldest {
			oldest = email
		}
	}
	if !r.client().guess(t, oldest, r.out[oldest]) {
		t.Errorf("with %s of %d keys the code of %s is refused, which was issued before", r.setting, 1+strings.Count(r.Setting(r.setting), ","), oldest)
	}
	delete(r.out, oldest)
}

// Threat: a key that may have leaked is not replaced, because that would cost
// everybody their code. Promise: pepper and seal key are replaced while codes are
// out and replicas are half old, half new; no code is lost that was issued before
// or meanwhile. Once the old key is gone, what was made with it is refused.
func TestRotation_WithCodesOut(t *testing.T) {
	t.Parallel()
	for setting, services := range map[string][]string{
		"OTP_PEPPER":   {"otp"},
		"OTP_SEAL_KEY": {"email", "otp"},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			before, after := "old:"+harness.RandomKey(), "new:"+harness.RandomKey()
			r := &rotation{setting: setting, services: services, out: map[string]string{}, system: startPlan(t, harness.Plan{
				Replicas: map[string]int{"otp": 3, "email": 2, "ui": 0, "register-gateway": 0, "student": 0, "enroll": 0},
				Each:     1,
				Settings: map[string]string{setting: before},
			})}
			for range 4 {
				r.issue(t)
			}
			r.roll(t, before+","+after)
			r.roll(t, after+","+before)
			late := r.listed(t)
			lateCode := r.codeFor(t, r.client(), late)
			for len(r.out) > 0 {
				r.typeOldest(t)
			}
			r.Set(setting, after)
			for _, service := range services {
				for range r.Replicas(service) {
					r.Replace(t, service, 0)
				}
			}
			r.issue(t)
			r.typeOldest(t)
			if !r.client().guess(t, late, lateCode) {
				t.Error("a code that was made with the new key is refused once the old one is gone")
			}
		})
	}
}

// A pepper that is replaced without a time of two keys costs the codes that are
// out: nothing of the old key is left in the store that would let them in.
func TestRotation_AtOnceRefusesWhatIsOut(t *testing.T) {
	t.Parallel()
	s := startPlan(t, harness.Plan{
		Replicas: map[string]int{"ui": 0, "register-gateway": 0, "student": 0, "enroll": 0}, Each: 1,
		Settings: map[string]string{"OTP_PEPPER": "old:" + harness.RandomKey()},
	})
	email := s.listed(t)
	code := s.codeFor(t, s.client(), email)
	s.Set("OTP_PEPPER", "new:"+harness.RandomKey())
	s.Replace(t, "otp", 0)
	if s.client().guess(t, email, code) {
		t.Error("a code under a key that is gone was accepted")
	}
}

// proofs replaces the key of the proofs in a running system, a replica at a time.
type proofs struct {
	*system
	// out are people who proved their address and did not register yet.
	out []restapi.RegisterRequest
}

// prove has somebody prove an address, and Redis forget it: the proof alone is left
// to tell.
func (p *proofs) prove(t *testing.T) {
	t.Helper()
	c, email := p.client(), p.listed(t)
	reply, err := c.decide(t.Context(), email, p.codeFor(t, c, email))
	if err != nil || reply.Results != 1 || reply.Proof == "" {
		t.Fatalf("authen: %+v, %v", reply, err)
	}
	if err := p.redis.Del(t.Context(), "otp:verified:"+email).Err(); err != nil {
		t.Fatal(err)
	}
	p.out = append(p.out, restapi.RegisterRequest{Firstname: "Malee", Lastname: "Jaidee", Email: email, Proof: reply.Proof})
}

// register registers whoever proved the own address first, and returns the status.
func (p *proofs) register(t *testing.T) int {
	t.Helper()
	c, first := p.client(), p.out[0]
	p.out = p.out[1:]
	return c.PostJSON(t, c.RegisterURL(), first).Status
}

func (p *proofs) roll(t *testing.T, value string) {
	t.Helper()
	p.Set("OTP_PROOF_KEY", value)
	for _, service := range []string{"otp", "register-gateway"} {
		for range p.Replicas(service) {
			p.Replace(t, service, 0)
			p.prove(t)
			if status := p.register(t); status != http.StatusOK {
				t.Errorf("with a proof that was made before: %d, while %d keys are rolled out to %s", status, 1+strings.Count(value, ","), service)
			}
		}
	}
}

// A key of proofs that may have leaked is replaced while proofs are out and replicas
// are half old, half new: each is accepted by itself. Once the old key is gone its
// proofs count for nothing; otp is asked, and knows nothing here.
func TestRotation_WithProofsOut(t *testing.T) {
	t.Parallel()
	before, after := "old:"+harness.RandomKey(), "new:"+harness.RandomKey()
	p := &proofs{system: startPlan(t, harness.Plan{
		Replicas: map[string]int{"otp": 2, "register-gateway": 2, "ui": 0, "enroll": 0}, Each: 1,
		Settings: map[string]string{"OTP_PROOF_KEY": before},
	})}
	p.prove(t)
	p.prove(t)
	old := p.out[1]
	p.roll(t, before+","+after)
	p.roll(t, after+","+before)
	p.roll(t, after)
	other := p.out[0]
	other.Email = p.listed(t)
	for of, req := range map[string]restapi.RegisterRequest{"the key that is gone": old, "another address": other} {
		p.out = []restapi.RegisterRequest{req}
		if status := p.register(t); status != http.StatusForbidden {
			t.Errorf("with a proof of %s: %d, want 403", of, status)
		}
	}
}
