package otp

import (
	"bytes"
	"math/big"
	"strconv"
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

// A million draws are uniform over the whole range, 000000 and 999999 included:
// chi-squared over 1,000 classes of 1,000 codes each, and over each of the six
// digits. The bounds are fixed; a good source exceeds one of them once in a million
// runs.
func TestDrawCode_uniform(t *testing.T) {
	t.Parallel()
	const draws = 1_000_000
	classes, digits := make([]int, 1000), [6][]int{}
	for i := range digits {
		digits[i] = make([]int, 10)
	}
	for range draws {
		code, err := drawCode(6)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(code)
		if err != nil || len(code) != 6 {
			t.Fatalf("drew %q", code)
		}
		classes[n/1000]++
		for i, digit := range code {
			digits[i][digit-'0']++
		}
	}
	// 999 degrees of freedom: mean 999, standard deviation 45.
	if chi := chiSquared(classes, draws); chi > 1245 || chi < 770 {
		t.Errorf("chi-squared of 1000 classes is %.0f, want 770 to 1245", chi)
	}
	for i, counts := range digits {
		// 9 degrees of freedom.
		if chi := chiSquared(counts, draws); chi > 50 {
			t.Errorf("chi-squared of digit %d is %.1f, want at most 50", i+1, chi)
		}
	}
}

func chiSquared(counts []int, draws int) float64 {
	want, sum := float64(draws)/float64(len(counts)), 0.0
	for _, n := range counts {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

// The ends of the range can be drawn. A source that gives the least and then the
// greatest number shows it at once; by chance it would take a million draws.
func TestDrawCode_ends(t *testing.T) {
	t.Parallel()
	for digits, want := range map[int][2]string{6: {"000000", "999999"}, 8: {"00000000", "99999999"}} {
		highest := new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil), big.NewInt(1))
		for i, n := range []*big.Int{new(big.Int), highest} {
			source := bytes.NewReader(n.FillBytes(make([]byte, (highest.BitLen()+7)/8)))
			if got, err := drawFrom(source, digits); err != nil || got != want[i] {
				t.Errorf("%v with %d digits is drawn as %q, %v; want %s", n, digits, got, err, want[i])
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
