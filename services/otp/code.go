package otp

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
)

// drawCode returns so many decimal digits, each code as likely as any other,
// with its leading zeros.
func drawCode(digits int) (string, error) { return drawFrom(rand.Reader, digits) }

func drawFrom(source io.Reader, digits int) (string, error) {
	codes := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	n, err := rand.Int(source, codes)
	if err != nil {
		return "", fmt.Errorf("draw a code: %w", err)
	}
	return fmt.Sprintf("%0*d", digits, n), nil
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
