package ui

import (
	"testing"
	"unicode/utf8"
)

// FuzzNormalCode: whatever is typed, a code is 6 to 10 ASCII digits, and is its
// own normal form; nothing is a code that has no digit of the person's.
func FuzzNormalCode(f *testing.F) {
	for _, seed := range []string{
		"", "123456", "๑๒๓๔๕๖", " 123 456 ", "123-456", "123\u2013456", "12\u200b3456", "１２３４５６", "١٢٣٤٥٦", "12345a", "\xff123456",
		"123456\r\nBcc: b@x.th", "12345678901", "1e5000", "+123456", "0x1234",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := normalCode(typed)
		if !ok {
			return
		}
		for _, r := range code {
			if r < '0' || '9' < r {
				t.Fatalf("normalCode(%q) = %q", typed, code)
			}
		}
		if len(code) < minCode || len(code) > maxCode || utf8.RuneCountInString(typed) < len(code) {
			t.Errorf("normalCode(%q) = %q", typed, code)
		}
		if again, ok := normalCode(code); !ok || again != code {
			t.Errorf("normalCode(%q) = %q, but of that %q, %v", typed, code, again, ok)
		}
	})
}
