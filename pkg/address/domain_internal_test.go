package address

import (
	"strings"
	"testing"
)

// What is taken for plain is what the rules make of it.
func FuzzPlainDomain(f *testing.F) {
	label := strings.Repeat("a", 63)
	for _, seed := range []string{
		"x.th", "KU.AC.TH", "a-b.th", "163.com", "a--b.th", "ab--c.th", "xn--o3cw4h.th", "XN--O3CW4H.th", "-a.th", "a-.th",
		"a..th", ".th", "th.", "th", "", "a_b.th", "\u212au.th", "ｋｕ.th", "127.0.0.1", "0x7f.1",
		label + ".th", label + "a.th", strings.Repeat(label+".", 3) + strings.Repeat("a", 61), strings.Repeat(label+".", 3) + strings.Repeat("a", 62),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, domain string) {
		plain, ok := plainDomain(domain)
		if !ok {
			return
		}
		if mapped, err := mappedDomain(domain); err != nil || mapped != plain {
			t.Errorf("%q is plainly %q, and by the rules %q, %v", domain, plain, mapped, err)
		}
	})
}

// The usual way must not be the long one.
func TestPlainDomain_Usual(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"ku.ac.th", "Student.Chula.AC.TH", "a-b.example.org", "163.com"} {
		if labels, ok := plainDomain(domain); !ok || labels != strings.ToLower(domain) {
			t.Errorf("%s is %q, plain: %v", domain, labels, ok)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	for name, typed := range map[string]string{"plain": "somchai.jaidee@student.chula.ac.th", "mapped": "somchai.jaidee@student.จุฬา.ไทย"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(typed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
