package otp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"matriq/pkg/proof"
	"matriq/pkg/rpc"
	"matriq/services/otp"
)

// A right guess tells until when the address is verified and where its mail goes,
// in the words of the mark itself; a repeat is told the same, later too. A wrong one
// tells neither, also of an address that is verified.
func TestStore_Spend_verdict(t *testing.T) {
	t.Parallel()
	for name, backend := range backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, backend(t), rules(t))
			d.list(t)
			d.mustAsk(t, right)
			spend := func(once, code string) otp.Verdict {
				verdict, err := d.Spend(t.Context(), otp.Guess{Address: d.who, Once: once, Digests: d.pepper.Digests(d.who, code)})
				if err != nil {
					t.Fatal(err)
				}
				return verdict
			}
			none := otp.Verdict{}
			if got := spend("one", wrong); got != none {
				t.Errorf("a wrong guess: %+v", got)
			}
			first := spend("two", right)
			clock, err := d.client.Time(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			if left := first.Until.Sub(clock); !first.Right || first.Mailbox != strings.ToUpper(d.who) || left > 15*time.Minute || left < 15*time.Minute-slack {
				t.Errorf("a right guess: %+v, %v ahead", first, left)
			}
			if until, err := d.client.HGet(t.Context(), "otp:verified:"+d.who, "until").Int64(); err != nil || until != first.Until.UnixMilli() {
				t.Errorf("the mark ends at %d, %v; the verdict says %d", until, err, first.Until.UnixMilli())
			}
			if got := spend("two", right); got != first {
				t.Errorf("again: %+v, want %+v", got, first)
			}
			if got := spend("three", right); got != none {
				t.Errorf("the spent code: %+v", got)
			}
		})
	}
}

// A proof is good for its address, for as long as that is verified, and has the
// mailbox as listed.
func TestService_prove(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, strings.ToUpper(b.who))
	code := b.open(t, b.who).Code
	if got, err := b.prove(t.Context(), b.who, otherThan(code)); got.Results != 0 || got.Proof != "" || err != nil {
		t.Errorf("a wrong guess: %+v, %v", got, err)
	}
	got, err := b.prove(t.Context(), " "+strings.ToUpper(b.who), code)
	if got.Results != 1 || err != nil {
		t.Fatalf("prove: %+v, %v", got, err)
	}
	end := start().Add(15 * time.Minute)
	mailbox, err := b.proofs.Check(got.Proof, b.who, end.Add(-time.Millisecond))
	if mailbox != strings.ToUpper(b.who) || err != nil {
		t.Errorf("to its end: %q, %v", mailbox, err)
	}
	if _, err := b.proofs.Check(got.Proof, b.who, end); !errors.Is(err, proof.ErrExpired) {
		t.Errorf("at its end: %v, want ErrExpired", err)
	}
	if again, err := b.prove(t.Context(), b.who, code); again.Results != 0 || again.Proof != "" || err != nil {
		t.Errorf("the spent code: %+v, %v", again, err)
	}
	if strings.Contains(b.log.String(), got.Proof) {
		t.Error("the proof is in the log")
	}
}

// A guess repeated under its key gets the same proof, whichever of the two methods
// came first; what is wrong counts at both.
func TestService_proveAgain(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	code := b.open(t, b.who).Code
	keyed := rpc.WithKey(t.Context(), "ui/k1")
	for range 3 {
		if got, err := b.prove(keyed, b.who, otherThan(code)); got.Results != 0 || err != nil {
			t.Errorf("a wrong guess: %+v, %v", got, err)
		}
	}
	if got, err := b.authen(keyed, b.who, otherThan(code)); got != 0 || err != nil {
		t.Errorf("a wrong guess by the other method: %d, %v", got, err)
	}
	if left := b.status(t, b.who).AttemptsLeft; left != 4 {
		t.Errorf("%d attempts are left of five after one guess sent four times", left)
	}
	if got, err := b.authen(keyed, b.who, code); got != 1 || err != nil {
		t.Fatalf("authen: %d, %v", got, err)
	}
	first, err := b.prove(keyed, b.who, code)
	if err != nil || first.Results != 1 {
		t.Fatalf("prove after authen: %+v, %v", first, err)
	}
	b.later(t, time.Minute)
	if again, err := b.prove(keyed, b.who, code); again != first || err != nil {
		t.Errorf("a minute later: %+v, %v, want %+v", again, err, first)
	}
	if _, err := b.proofs.Check(first.Proof, b.who, start()); err != nil {
		t.Error(err)
	}
}

// Without a key of proofs the verdict is the whole answer.
func TestService_proveWithoutKey(t *testing.T) {
	t.Parallel()
	b := serve(t, func(r *otp.Rules) { r.ProofKey = "" })
	b.list(t, b.who)
	code := b.open(t, b.who).Code
	if got, err := b.prove(t.Context(), b.who, code); got.Results != 1 || got.Proof != "" || err != nil {
		t.Errorf("prove: %+v, %v", got, err)
	}
	if !b.status(t, b.who).Verified {
		t.Error("the address is not verified")
	}
}

// An address that the list does not have any more gets no proof: otp.status is
// left to decide.
func TestService_proveUnlisted(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	code := b.open(t, b.who).Code
	if err := b.client.HDel(t.Context(), "otp:listed", b.who).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := b.prove(t.Context(), b.who, code); got.Results != 1 || got.Proof != "" || err != nil {
		t.Errorf("prove: %+v, %v", got, err)
	}
}

func otherThan(code string) string {
	if code == wrong {
		return right
	}
	return wrong
}
