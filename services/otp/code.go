package otp

import (
	"crypto/rand"
	"fmt"
	"math"
	"math/big"
)

// codeOf returns the code that a random word stands for: so many decimal digits
// with their leading zeros, each code for as many words as any other. It is false
// for the few words at the end of their range that would be one too many.
func codeOf(word uint64, digits int) (string, bool) {
	codes := uint64(1)
	for range digits {
		codes *= 10
	}
	if word >= math.MaxUint64-math.MaxUint64%codes {
		return "", false
	}
	return fmt.Sprintf("%0*d", digits, word%codes), true
}

// refAlphabet has no letters that are mistaken for one another or for digits,
// and no vowels, which would spell words.
const refAlphabet = "BCDFGHJKMNPRTVWXY"

const refLength = 3

// drawRefs returns two references that differ: the second is for an address
// whose latest code has the first.
func drawRefs() ([2]string, error) {
	var refs [2]string
	for refs[0] == refs[1] {
		for i := range refs {
			ref, err := drawRef()
			if err != nil {
				return refs, err
			}
			refs[i] = ref
		}
	}
	return refs, nil
}

func drawRef() (string, error) {
	ref := make([]byte, refLength)
	for i := range ref {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(refAlphabet))))
		if err != nil {
			return "", fmt.Errorf("draw a reference: %w", err)
		}
		ref[i] = refAlphabet[n.Int64()]
	}
	return string(ref), nil
}
