package otp_test

import (
	"testing"
	"time"

	"matriq/pkg/rpc"
	"matriq/services/otp"
)

// A request for a code that is repeated under its key gets the same code, and
// counts once; under another key it is another request.
func TestService_createAgain(t *testing.T) {
	t.Parallel()
	b := serve(t, func(r *otp.Rules) { r.ResendAfter = time.Minute })
	b.list(t, b.who)
	keyed := rpc.WithKey(t.Context(), "ui/k1")
	first, err := b.create(keyed, b.who)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.create(keyed, b.who)
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	one, err := b.keys.Open(first.Code.Sealed, first.Code.Ref)
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.keys.Open(again.Code.Sealed, again.Code.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if one != two || first.Code.ID == "" || first.Code.ID != again.Code.ID {
		t.Errorf("%+v under %q, then %+v under %q", one, first.Code.ID, two, again.Code.ID)
	}
	if _, err := b.create(rpc.WithKey(t.Context(), "ui/k2"), b.who); rpc.ReasonOf(err) != "resend_too_soon" {
		t.Errorf("under another key: %v, want resend_too_soon", err)
	}
	b.later(t, time.Minute)
	other, err := b.create(rpc.WithKey(t.Context(), "ui/k2"), b.who)
	if err != nil || other.Code.ID == first.Code.ID {
		t.Errorf("the next code: %+v, %v", other.Code, err)
	}
	b.later(t, 2*time.Minute) // what a second code costs; a third would cost twice that
	if third, err := b.create(keyed, b.who); err != nil || third.Code.ID == first.Code.ID {
		t.Errorf("the first key, when its code is out no longer: %+v, %v", third.Code, err)
	}
	if result, err := b.authen(t.Context(), b.who, one.Code); result != 0 || err != nil {
		t.Errorf("the first code: %d, %v", result, err)
	}
}

// A guess repeated under its key is one guess, and a right one stays right; the
// key lends nothing to another guess.
func TestService_authenAgain(t *testing.T) {
	t.Parallel()
	b := serve(t, func(r *otp.Rules) { r.SourceGuessLimit = 2 })
	b.list(t, b.who)
	code := b.open(t, b.who).Code
	keyed := rpc.WithMeta(rpc.WithKey(t.Context(), "ui/k1"), rpc.Meta{ClientIP: "192.0.2.1"})
	guess := func(code string, want int) {
		t.Helper()
		if got, err := b.authen(keyed, b.who, code); got != want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, want)
		}
	}
	other := wrong
	if other == code {
		other = right
	}
	for range 5 {
		guess(other, 0)
	}
	if left := b.status(t, b.who).AttemptsLeft; left != 4 {
		t.Errorf("%d attempts are left of five after one guess sent five times", left)
	}
	guess(code, 1)
	guess(code, 1)
	guess(other, 0)
	if !b.status(t, b.who).Verified {
		t.Error("the address is not verified")
	}
	if got, err := b.authen(rpc.WithKey(t.Context(), "ui/k2"), b.who, code); got != 0 || err != nil {
		t.Errorf("the spent code under another key: %d, %v", got, err)
	}
	if got, err := b.authen(t.Context(), b.who, code); got != 0 || err != nil {
		t.Errorf("the spent code without a key: %d, %v", got, err)
	}
}
