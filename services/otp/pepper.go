package otp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"matriq/pkg/keyring"
)

// Pepper makes what is stored of a code. Without it, a copy of Redis would give
// away a million possible codes in a second.
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
// differently. A canonical address has no NUL, so no two pairs run into one.
func digest(key keyring.Key, address, code string) Digest {
	mac := hmac.New(sha256.New, key.Secret[:])
	mac.Write([]byte("matriq/otp/1\x00" + address + "\x00" + code))
	return Digest{Key: key.ID, Sum: hex.EncodeToString(mac.Sum(nil))}
}
