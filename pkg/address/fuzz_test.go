package address_test

import (
	"net/mail"
	"strings"
	"testing"

	"matriq/pkg/address"
)

// Whatever is typed, a canonical form is plain ASCII with one "@", is its own
// canonical form, and is read as the same address by the mail library.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		"a@x.th", " Somchai.J+exam@KU.AC.TH\r\n", "a@ไทย.ไทย", "a@xn--o3cw4h.xn--o3cw4h",
		"a@cafe\u0301.th", "a@BÜCHER.de", "a@straße.de", "a@faß.de", "a@ｋｕ．ac．th",
		"\u212aelvin@x.th", "a@\u212au.ac.th", `"a b"@x.th`, "a(b)@x.th", "a@[127.0.0.1]", "a@127.0.0.1",
		"a@x.th\r\nBcc: b@x.th", "a\u202eb@x.th", "a\u2028@x.th", "a@\u05d0\u05d1.\u05d0\u05d1",
		"a@نامه\u200cای.com", "a@xn--0.th", "a@ab--c.th", "a@x\u00ady.th", "a\xff@x.th", "a@x.th.", "a@@x.th",
		strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".th",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		canonical, err := address.Canonical(typed)
		if err != nil {
			return
		}
		if again, err := address.Canonical(canonical); err != nil || again != canonical {
			t.Errorf("Canonical(%q) = %q, but its own canonical form is %q, %v", typed, canonical, again, err)
		}
		for _, r := range canonical {
			if r <= ' ' || r >= 0x7f || 'A' <= r && r <= 'Z' {
				t.Errorf("Canonical(%q) = %q has %q", typed, canonical, r)
			}
		}
		if strings.Count(canonical, "@") != 1 || len(canonical) > 254 {
			t.Errorf("Canonical(%q) = %q", typed, canonical)
		}
		if parsed, err := mail.ParseAddress(canonical); err != nil || parsed.Address != canonical {
			t.Errorf("Canonical(%q) = %q, which the mail library reads as %v, %v", typed, canonical, parsed, err)
		}
		mailbox, err := address.Mailbox(typed)
		if err != nil {
			t.Fatalf("Mailbox(%q): %v", typed, err)
		}
		if same, err := address.Canonical(mailbox); err != nil || same != canonical {
			t.Errorf("Mailbox(%q) = %q is another address: %q, %v", typed, mailbox, same, err)
		}
	})
}
