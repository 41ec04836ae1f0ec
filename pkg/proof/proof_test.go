package proof_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"matriq/pkg/keyring"
	"matriq/pkg/proof"
)

const (
	who     = "somchai.j@ku.ac.th"
	mailbox = "Somchai.J@KU.ac.th"
)

var (
	now   = time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)
	until = now.Add(15 * time.Minute)
)

func secret(t *testing.T) string {
	t.Helper()
	b := make([]byte, keyring.Size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func parse(t *testing.T, setting string) proof.Keys {
	t.Helper()
	keys, err := proof.ParseKeys(setting)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeys_Check(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	text := keys.Make(who, mailbox, until)
	if got, err := keys.Check(text, who, now); got != mailbox || err != nil {
		t.Errorf("Check = %q, %v, want %q", got, err, mailbox)
	}
	if !strings.HasPrefix(text, "1.") || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		t.Errorf("%q is no kid with base64url", text)
	}
}

// A proof counts up to its last millisecond, and not at its end.
func TestKeys_Check_end(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	text := keys.Make(who, mailbox, until)
	for after, want := range map[time.Duration]error{-time.Millisecond: nil, 0: proof.ErrExpired, time.Hour: proof.ErrExpired} {
		got, err := keys.Check(text, who, until.Add(after))
		if !errors.Is(err, want) || (got != "") != (want == nil) {
			t.Errorf("%v after its end: %q, %v, want %v", after, got, err, want)
		}
	}
	if got, err := keys.Check(keys.Make(who, mailbox, time.UnixMilli(-1)), who, now); !errors.Is(err, proof.ErrExpired) {
		t.Errorf("one of before 1970: %q, %v", got, err)
	}
}

func TestKeys_Check_refuses(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	text := keys.Make(who, mailbox, until)
	for name, c := range map[string]struct{ text, address string }{
		"nothing":         {"", who},
		"no kid":          {strings.TrimPrefix(text, "1."), who},
		"unknown kid":     {"2" + strings.TrimPrefix(text, "1"), who},
		"kid alone":       {"1.", who},
		"not base64":      {text + "!", who},
		"padded":          {text + "=", who},
		"cut":             {text[:len(text)-4], who},
		"head alone":      {text[:2+54], who},
		"longer":          {text + "AAAA", who},
		"far longer":      {text + strings.Repeat("AAAA", 1<<20), who},
		"line end":        {text + "\n", who},
		"another address": {text, "somchai.k@ku.ac.th"},
		"as it is listed": {text, mailbox},
		"no address":      {text, ""},
		"moved border":    {text, who + "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := keys.Check(c.text, c.address, now); !errors.Is(err, proof.ErrInvalid) || got != "" {
				t.Errorf("Check = %q, %v, want ErrInvalid", got, err)
			}
		})
	}
}

// No single bit can be changed unnoticed: neither the end nor the mailbox.
func TestKeys_Check_tampered(t *testing.T) {
	t.Parallel()
	keys := parse(t, secret(t))
	box, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(keys.Make(who, mailbox, until), "1."))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(box) {
		box[i/8] ^= 1 << (i % 8)
		if got, err := keys.Check("1."+base64.RawURLEncoding.EncodeToString(box), who, now); !errors.Is(err, proof.ErrInvalid) || got != "" {
			t.Errorf("bit %d changed: %q, %v, want ErrInvalid", i, got, err)
		}
		box[i/8] ^= 1 << (i % 8)
	}
	if _, err := keys.Check("1."+base64.RawURLEncoding.EncodeToString(box), who, now); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestKeys_Check_anotherKey(t *testing.T) {
	t.Parallel()
	text := parse(t, "1:"+secret(t)).Make(who, mailbox, until)
	for name, setting := range map[string]string{"another kid": "2:" + secret(t), "the same kid": "1:" + secret(t), "none": ""} {
		if got, err := parse(t, setting).Check(text, who, now); !errors.Is(err, proof.ErrInvalid) || got != "" {
			t.Errorf("%s: %q, %v, want ErrInvalid", name, got, err)
		}
	}
}

// In each step of a rotation, replicas of this step and of the one before accept
// each other's proofs.
func TestKeys_rotation(t *testing.T) {
	t.Parallel()
	first, second := "1:"+secret(t), "2:"+secret(t)
	steps := []proof.Keys{parse(t, first), parse(t, first+","+second), parse(t, second+","+first), parse(t, second)}
	for i := range len(steps) - 1 {
		for _, pair := range [][2]proof.Keys{{steps[i], steps[i+1]}, {steps[i+1], steps[i]}} {
			if got, err := pair[1].Check(pair[0].Make(who, mailbox, until), who, now); got != mailbox || err != nil {
				t.Errorf("step %d: %q, %v", i, got, err)
			}
		}
	}
}

// Without a key or without a mailbox there is no proof; the longest mailbox has
// one that can be checked.
func TestKeys_Make(t *testing.T) {
	t.Parallel()
	keys := parse(t, "sixteenletterkid:"+secret(t))
	longest := strings.Repeat("l", 254)
	if got := parse(t, "").Make(who, mailbox, until); got != "" {
		t.Errorf("without keys: %q", got)
	}
	for _, none := range []string{"", longest + "l"} {
		if got := keys.Make(who, none, until); got != "" {
			t.Errorf("a mailbox of %d: %q", len(none), got)
		}
	}
	text := keys.Make(longest, longest, until)
	if got, err := keys.Check(text, longest, now); got != longest || err != nil || len(text) != 409 {
		t.Errorf("the longest has %d bytes: %q, %v", len(text), got, err)
	}
}

func TestParseKeys_refuses(t *testing.T) {
	t.Parallel()
	weak := base64.StdEncoding.EncodeToString(make([]byte, keyring.Size))
	for _, setting := range []string{weak, " ", "devops101"} {
		if _, err := proof.ParseKeys(setting); !errors.Is(err, keyring.ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", setting, err)
		}
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

// FuzzKeys_Check: nobody makes a proof without the key, and one that was made is
// good for its address alone, until its end.
func FuzzKeys_Check(f *testing.F) {
	keys, err := proof.ParseKeys("k1:q0Zb4Vt0m1mYkR6b3c2oXk0i3J9y8QeTz7wUuPpLsDg=")
	if err != nil {
		f.Fatal(err)
	}
	good := keys.Make(who, mailbox, until)
	for _, seed := range []string{good, "", ".", "k1.", "k1.AAAA", "1." + good, good[:40], good + "\n", good + "A", strings.Replace(good, "k1.", "k1..", 1)} {
		f.Add(seed, who)
	}
	f.Add(good, mailbox)
	f.Fuzz(func(t *testing.T, text, address string) {
		got, err := keys.Check(text, address, now)
		if text == good && address == who {
			if got != mailbox || err != nil {
				t.Errorf("the proof itself: %q, %v", got, err)
			}
			return
		}
		if !errors.Is(err, proof.ErrInvalid) || got != "" {
			t.Errorf("Check(%q, %q) = %q, %v: a forged proof", text, address, got, err)
		}
	})
}
