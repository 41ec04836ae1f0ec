package seal_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"matriq/pkg/keyring"
	"matriq/pkg/seal"
)

func secret(t *testing.T) string {
	t.Helper()
	b := make([]byte, keyring.Size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func parse(t *testing.T, setting string) seal.Keys {
	t.Helper()
	keys, err := seal.ParseKeys(setting)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func envelope() seal.Envelope {
	issued := time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)
	return seal.Envelope{
		Kind: seal.Code, Code: "042137", Email: "Somchai.J@KU.ac.th", Ref: "KTM",
		Issued: issued, Expires: issued.Add(10 * time.Minute),
	}
}

func closed(t *testing.T, keys seal.Keys, e seal.Envelope) string {
	t.Helper()
	sealed, err := keys.Seal(e)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestKeys_Open(t *testing.T) {
	t.Parallel()
	keys, want := parse(t, secret(t)), envelope()
	sealed := closed(t, keys, want)
	if got, err := keys.Open(sealed, want.Ref); err != nil || got != want {
		t.Errorf("Open = %+v, %v, want %+v", got, err, want)
	}
	if !strings.HasPrefix(sealed, "1.") {
		t.Errorf("%q does not begin with the kid", sealed)
	}
	for _, open := range []string{want.Code, want.Email, want.Ref, "Somchai"} {
		if strings.Contains(sealed, open) {
			t.Errorf("%q is readable in %q", open, sealed)
		}
	}
}

// The length tells nothing of what is inside.
func TestKeys_Seal_sameLength(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	long := strings.Repeat("l", 64) + "@" + strings.Repeat("d", 63) + "." + strings.Repeat("d", 63) + "." + strings.Repeat("d", 56) + ".th"
	lengths := map[int]bool{}
	for _, e := range []seal.Envelope{
		envelope(),
		{Kind: seal.DecoyUnlisted, Ref: "KTM"},
		{Kind: seal.DecoyRegistered, Email: "a@x.th", Ref: "KTM", Issued: time.Now(), Expires: time.Now()},
		{Kind: seal.Code, Code: "0123456789", Email: long, Ref: "KTM", Issued: time.Now(), Expires: time.Now()},
		{Kind: seal.Code, Code: "012345", Email: strings.Repeat("&", 64) + "@x.th", Ref: "KTM"},
	} {
		lengths[len(closed(t, keys, e))] = true
	}
	if len(lengths) != 1 {
		t.Errorf("envelopes have the lengths %v", lengths)
	}
}

// The same envelope never looks the same twice.
func TestKeys_Seal_differs(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	seen := map[string]bool{}
	for range 100 {
		seen[closed(t, keys, envelope())] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 seals gave %d envelopes", len(seen))
	}
}

func TestKeys_Seal_refuses(t *testing.T) {
	t.Parallel()
	e := envelope()
	if _, err := (seal.Keys{}).Seal(e); !errors.Is(err, seal.ErrNoKeys) {
		t.Errorf("without keys: %v, want ErrNoKeys", err)
	}
	e.Email = strings.Repeat("a", 600) + "@x.th"
	if _, err := parse(t, secret(t)).Seal(e); !errors.Is(err, seal.ErrTooLong) {
		t.Errorf("600 letters: %v, want ErrTooLong", err)
	}
}

func TestKeys_Open_refuses(t *testing.T) {
	t.Parallel()
	keys, e := parse(t, secret(t)), envelope()
	sealed := closed(t, keys, e)
	for name, c := range map[string]struct{ sealed, ref string }{
		"nothing":           {"", e.Ref},
		"no kid":            {strings.TrimPrefix(sealed, "1."), e.Ref},
		"unknown kid":       {"2" + strings.TrimPrefix(sealed, "1"), e.Ref},
		"kid alone":         {"1.", e.Ref},
		"not base64":        {sealed + "!", e.Ref},
		"padded":            {sealed + "=", e.Ref},
		"cut":               {sealed[:len(sealed)-4], e.Ref},
		"longer":            {sealed + "AAAA", e.Ref},
		"line end":          {sealed + "\n", e.Ref},
		"another reference": {sealed, "XYZ"},
		"no reference":      {sealed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := keys.Open(c.sealed, c.ref)
			if !errors.Is(err, seal.ErrOpen) || got != (seal.Envelope{}) {
				t.Errorf("Open = %+v, %v, want ErrOpen", got, err)
			}
		})
	}
}

// No single bit can be changed unnoticed.
func TestKeys_Open_tampered(t *testing.T) {
	t.Parallel()
	keys, e := parse(t, secret(t)), envelope()
	encoded := strings.TrimPrefix(closed(t, keys, e), "1.")
	box, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	for i := range box {
		box[i] ^= 1
		if _, err := keys.Open("1."+base64.RawURLEncoding.EncodeToString(box), e.Ref); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("byte %d changed: %v, want ErrOpen", i, err)
		}
		box[i] ^= 1
	}
	if _, err := keys.Open("1."+base64.RawURLEncoding.EncodeToString(box), e.Ref); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// In each step of a rotation, replicas of this step and of the one before open
// each other's envelopes.
func TestKeys_rotation(t *testing.T) {
	t.Parallel()
	first, second, e := "1:"+secret(t), "2:"+secret(t), envelope()
	steps := []seal.Keys{parse(t, first), parse(t, first+","+second), parse(t, second+","+first), parse(t, second)}
	for i := range len(steps) - 1 {
		for _, pair := range [][2]seal.Keys{{steps[i], steps[i+1]}, {steps[i+1], steps[i]}} {
			sealed, err := pair[0].Seal(e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pair[1].Open(sealed, e.Ref)
			if err != nil || got != e {
				t.Errorf("step %d: %+v, %v", i, got, err)
			}
		}
	}
}

func TestKeys_Open_anotherKey(t *testing.T) {
	t.Parallel()
	e := envelope()
	sealed := closed(t, parse(t, "1:"+secret(t)), e)
	_, err := parse(t, "2:"+secret(t)).Open(sealed, e.Ref)
	if !errors.Is(err, seal.ErrOpen) || !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("another kid: %v, want ErrOpen and ErrUnknownKey", err)
	}
	_, err = parse(t, "1:"+secret(t)).Open(sealed, e.Ref)
	if !errors.Is(err, seal.ErrOpen) || errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("another key under the same kid: %v, want ErrOpen alone", err)
	}
}

func TestParseKeys_refuses(t *testing.T) {
	t.Parallel()
	weak := base64.StdEncoding.EncodeToString(make([]byte, keyring.Size))
	if _, err := seal.ParseKeys(weak); !errors.Is(err, keyring.ErrInvalid) {
		t.Errorf("a key of zeros: %v, want ErrInvalid", err)
	}
}

func TestKeys_areNotPrinted(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, keys); got != "1 keys" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func FuzzKeys_Open(f *testing.F) {
	keys, err := seal.ParseKeys("k1:q0Zb4Vt0m1mYkR6b3c2oXk0i3J9y8QeTz7wUuPpLsDg=")
	if err != nil {
		f.Fatal(err)
	}
	// One envelope for all processes that look: of one that each sealed for itself,
	// the others would find out that it opens.
	const sealed = "k1.z5FXExKSVQ0dublLa-QATCvrPGBLmdnWcPed0Dd0Zc9tF-Vyy5Dg49KCu3TBzlEyIP4ifM26MHe4FespDBDwAzGraqSy99XSjzMhqM6jzB-iY0VpXyAaEmye9fX12c3G6O2Gh_XY50_Cb48RE3EkD6L67fRGkiYCk7gkjzPNiavsE9JQoloo4XgBm3Awc3Obhy-Wo0tflcSf2mTERU0k2wPVgBvvwGQP5cQTbvK0rlaEn6DDep3uvUmXjIpv-Imh3N3P0eTHHq5SJ6fjBY62luqclABkmXGMU8ThZIBAU4y-cfuonxyyPmxCol2F-GiAY_nip52o5yDyT5JL1-3ZZ0BJ7DhG7mnAJD4J0Q3ILHC8TtidTj0tsaCdldDA3m5r5qfAKH3-tRwf1VLEGAY-uIqIweukcuESlubWHA-6TDCoVcwOXKrgJ8rW_3VLJmvWZ-V8Q_2qyr1GDDZHxXbOZiE8go7nDpo2H5FDfxQQfIxZJIyO3UWb2Vn7K1C3Sq1LnYwLryKCqeeDoUfe4mU_UVTPCoiuRA66yezSWPfsj9qOAOrHoFudqxDJfXcpkAiTn45EWaqCOhvcazrYrFqqLbJGRhBCj3DvYViLQipkF4pcWOKpyYgneKyVeoV4TcwOqgH-SSwQH9Bgek_v4hfFm1mp7WYmTI9_V4QPt51HYjGNGh9XQRNcYaJcpgP4EYL9Xzs7xAEu05KKwGG3"
	if _, err := keys.Open(sealed, "KTM"); err != nil {
		f.Fatalf("the envelope itself: %v", err)
	}
	for _, seed := range []string{"", ".", "k1.", "k1.AAAA", "1." + sealed, sealed[:40], sealed + "\n"} {
		f.Add(seed, "KTM")
	}
	f.Fuzz(func(t *testing.T, box, ref string) {
		if box == sealed && ref == "KTM" {
			return
		}
		if e, err := keys.Open(box, ref); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("Open(%q, %q) = %+v, %v: a forged envelope", box, ref, e, err)
		}
	})
}
