package otp

import (
	"strings"
	"testing"
)

// Codes use the whole range: leading zeros are as likely as any other digit.
func TestDrawCode(t *testing.T) {
	t.Parallel()
	const draws = 10000
	for _, digits := range []int{6, 8, 10} {
		first := map[byte]int{}
		last := map[byte]int{}
		for range draws {
			code, err := drawCode(digits)
			if err != nil {
				t.Fatal(err)
			}
			if len(code) != digits || !codePattern.MatchString(code) {
				t.Fatalf("drew %q, want %d digits", code, digits)
			}
			first[code[0]]++
			last[code[len(code)-1]]++
		}
		// A thousand each, with a standard deviation of 30.
		for digit := byte('0'); digit <= '9'; digit++ {
			if n := first[digit]; n < 800 || n > 1200 {
				t.Errorf("%d of %d codes begin with %c", n, draws, digit)
			}
			if n := last[digit]; n < 800 || n > 1200 {
				t.Errorf("%d of %d codes end in %c", n, draws, digit)
			}
		}
	}
}

func TestDrawRefs(t *testing.T) {
	t.Parallel()
	for range 10000 {
		refs, err := drawRefs()
		if err != nil {
			t.Fatal(err)
		}
		if refs[0] == refs[1] {
			t.Fatalf("drew %v", refs)
		}
		for _, ref := range refs {
			if len(ref) != 3 || strings.Trim(ref, refAlphabet) != "" || strings.ContainsAny(ref, "AEIOU01LSZ") {
				t.Fatalf("drew %q", ref)
			}
		}
	}
}

func TestCodePattern(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"042137": true, "000000": true, "0123456789": true,
		"": false, "12345": false, "01234567890": false, "12345a": false, " 042137": false, "042137\n": false,
		"04 2137": false, "-42137": false, "+42137": false, "4.2137": false, "0x1234": false, "1e1234": false,
		"๐๔๒๑๓๗": false, "０４２１３７": false, "٠٤٢١٣٧": false,
	} {
		if got := codePattern.MatchString(code); got != want {
			t.Errorf("%q is a code: %v, want %v", code, got, want)
		}
	}
}
