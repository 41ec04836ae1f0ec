package otp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"matriq/pkg/keyring"
	"matriq/pkg/rpc"
)

// Pepper makes codes, and what is stored of them. Without it, a copy of Redis
// would give away a million possible codes in a second.
//
// A code is not drawn but made, from a random draw that is stored beside its
// digest: so the code that is out can be mailed again to whoever repeats a
// request, and is yet nowhere to be read.
//
// While keys rotate, new codes are stored under the first and guesses are tried
// under both, so that a code that is out when the key changes stays good. Roll
// "old,new" out to all replicas, then "new,old", then, a code's life later,
// "new".
type Pepper struct{ keys []keyring.Key }

// Digest is what is stored of a code.
type Digest struct {
	// Key names the key.
	Key string
	// Sum is the HMAC-SHA-256 in hexadecimal digits.
	Sum string
}

// ParsePepper reads a setting in the form of [keyring].
func ParsePepper(setting string) (Pepper, error) {
	keys, err := keyring.Parse(setting)
	return Pepper{keys: keys}, err
}

// Code makes the code of a draw under the first key.
func (p Pepper) Code(address, draw string, digits int) string {
	return code(p.keys[0], address, draw, digits)
}

// CodeAgain makes the code that is out again, under the key that it was made
// under. It fails when that key has been replaced.
func (p Pepper) CodeAgain(kid, address, draw string, digits int) (string, error) {
	i := slices.IndexFunc(p.keys, func(k keyring.Key) bool { return k.ID == kid })
	if i < 0 || draw == "" {
		return "", fmt.Errorf("the code that is out was made under the key %q, which is gone", kid)
	}
	return code(p.keys[i], address, draw, digits), nil
}

// code is uniform in draw: it takes the first word of a stream of HMACs that
// stands for a code.
func code(key keyring.Key, address, draw string, digits int) string {
	for i := 0; ; i++ {
		word := binary.BigEndian.Uint64(sum(key, "draw", address, draw, strconv.Itoa(i)))
		if code, ok := codeOf(word, digits); ok {
			return code
		}
	}
}

// Once names the request that ctx has a key for, so that the store tells a repeat
// from another request: the same key and the same words. It is empty for a request
// without a key. While keys rotate, a repeat may be taken for another request.
func (p Pepper) Once(ctx context.Context, words ...string) string {
	given := rpc.KeyFrom(ctx)
	if given == "" {
		return ""
	}
	return hex.EncodeToString(sum(p.keys[0], append([]string{"once", given}, words...)...))
}

// Digest returns what to store of a new code.
func (p Pepper) Digest(address, code string) Digest {
	return digest(p.keys[0], address, code)
}

// Digests returns what may be stored of a code, one for each live key.
func (p Pepper) Digests(address, code string) []Digest {
	all := make([]Digest, 0, len(p.keys))
	for _, key := range p.keys {
		all = append(all, digest(key, address, code))
	}
	return all
}

// digest binds a code to its address: the same code of two people is stored
// differently.
func digest(key keyring.Key, address, code string) Digest {
	return Digest{Key: key.ID, Sum: hex.EncodeToString(sum(key, "1", address, code))}
}

// sum is the HMAC of words, the first of which says what it is for. None has a
// NUL, so that no two lists run into one.
func sum(key keyring.Key, words ...string) []byte {
	mac := hmac.New(sha256.New, key.Secret[:])
	mac.Write([]byte("matriq/otp/" + strings.Join(words, "\x00")))
	return mac.Sum(nil)
}
