package otp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"matriq/pkg/address"
)

func TestCut(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                         "",
		"abc":                      "abc",
		strings.Repeat("a", 100):   strings.Repeat("a", 100),
		strings.Repeat("a", 101):   strings.Repeat("a", 100),
		strings.Repeat("ก", 5000):  strings.Repeat("ก", 100),
		strings.Repeat("ก", 99):    strings.Repeat("ก", 99),
		strings.Repeat("\xff", 90): strings.Repeat("\xff", 90),
	} {
		if got := cut(s, maxShown); got != want {
			t.Errorf("cut of %d octets has %d, want %d", len(s), len(got), len(want))
		}
	}
}

// Every row is either listed or reported, with its number.
func FuzzSift(f *testing.F) {
	for _, seed := range []string{"", "a@x.th", "A@X.th\nb@x.th\nbad", "\n\n", "a@x.th,b@x.th", "\xff\n" + strings.Repeat("ก", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows := strings.Split(text, "\n")
		good, bad := sift(rows)
		if len(good)+len(bad) != len(rows) || bad == nil {
			t.Fatalf("%d rows, %d good and %d bad", len(rows), len(good), len(bad))
		}
		for _, l := range good {
			if who, err := address.Canonical(l.Mailbox); err != nil || who != l.Address {
				t.Errorf("mail for %q goes to %q", l.Address, l.Mailbox)
			}
		}
		for _, r := range bad {
			if r.Row < 1 || r.Row > len(rows) || !strings.HasPrefix(rows[r.Row-1], r.Value) || utf8.RuneCountInString(r.Value) > maxShown {
				t.Errorf("row %d is reported as %q", r.Row, r.Value)
			}
		}
	})
}
