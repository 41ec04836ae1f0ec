package otp

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"matriq/pkg/keyring"
)

// pepperForTest has two keys, as while one replaces the other.
func pepperForTest(t *testing.T) Pepper {
	t.Helper()
	keys := make([]string, 2)
	for i := range keys {
		secret := make([]byte, keyring.Size)
		_, _ = rand.Read(secret) // it never fails
		keys[i] = fmt.Sprintf("k%d:%s", i, base64.StdEncoding.EncodeToString(secret))
	}
	p, err := ParsePepper(strings.Join(keys, ","))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A code is made again from its draw, under its own key, for its own address, and
// by nobody else.
func TestPepper_CodeAgain(t *testing.T) {
	t.Parallel()
	p, draw := pepperForTest(t), rand.Text()
	rotated := Pepper{keys: []keyring.Key{p.keys[1], p.keys[0]}}
	code := p.Code("a@x.th", draw, 10)
	for name, q := range map[string]Pepper{"the same keys": p, "rotated": rotated} {
		if again, err := q.CodeAgain("k0", "a@x.th", draw, 10); err != nil || again != code {
			t.Errorf("%s: %q, %v; want %q", name, again, err, code)
		}
	}
	for name, other := range map[string]string{
		"another draw":    p.Code("a@x.th", rand.Text(), 10),
		"another address": p.Code("b@x.th", draw, 10),
		"another key":     rotated.Code("a@x.th", draw, 10),
		"another pepper":  pepperForTest(t).Code("a@x.th", draw, 10),
	} {
		if other == code {
			t.Errorf("%s makes the same code", name)
		}
	}
	if again, err := p.CodeAgain("gone", "a@x.th", draw, 10); err == nil {
		t.Errorf("under a key that is gone: %q", again)
	}
	if again, err := p.CodeAgain("k0", "a@x.th", "", 10); err == nil {
		t.Errorf("without a draw: %q", again)
	}
}

// Codes use the whole range: leading zeros are as likely as any other digit.
func TestPepper_Code(t *testing.T) {
	t.Parallel()
	const draws = 10000
	pepper := pepperForTest(t)
	for _, digits := range []int{6, 8, 10} {
		first := map[byte]int{}
		last := map[byte]int{}
		for range draws {
			code := pepper.Code("a@x.th", rand.Text(), digits)
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
func TestPepper_Code_uniform(t *testing.T) {
	t.Parallel()
	const draws = 1_000_000
	pepper := pepperForTest(t)
	classes, digits := make([]int, 1000), [6][]int{}
	for i := range digits {
		digits[i] = make([]int, 10)
	}
	for range draws {
		code := pepper.Code("a@x.th", rand.Text(), 6)
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

// The ends of the range can be drawn, and the words that would make the first codes
// likelier than the last ones stand for none.
func TestCodeOf(t *testing.T) {
	t.Parallel()
	const last = math.MaxUint64
	for _, tc := range []struct {
		word   uint64
		digits int
		want   string
	}{
		{0, 6, "000000"},
		{999_999, 6, "999999"},
		{1_000_000, 6, "000000"},
		{42137, 6, "042137"},
		{0, 10, "0000000000"},
		{9_999_999_999, 10, "9999999999"},
		{last - last%1_000_000 - 1, 6, "999999"},
		{last - last%1_000_000, 6, ""},
		{last, 6, ""},
		{last, 10, ""},
	} {
		if got, ok := codeOf(tc.word, tc.digits); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%d with %d digits is %q, %v; want %q", tc.word, tc.digits, got, ok, tc.want)
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
