// Package keyring reads secret keys that are replaced while they are in use.
//
// A setting holds one key, or two by comma while rotating: the first makes new
// things, both read what is there. Each is "kid:base64 of 32 bytes"; a bare
// base64 has the kid 1. The kid names the key in what was made with it and is
// no secret.
//
// It cannot tell a random key from a guessed one. It refuses those that nobody
// could have drawn, such as all zeros.
package keyring

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Size is the length of a secret in bytes.
const Size = 32

// maxKeys is how many keys live at a time while one replaces the other.
const maxKeys = 2

// minDistinct is how many different bytes a secret has at least. 32 random bytes
// have fewer than 8 different ones less often than once in 10^30.
const minDistinct = 8

// Cure tells how to make a key; for messages about a missing one.
const Cure = "make one with: openssl rand -base64 32"

// ErrInvalid means that a setting holds no usable keys. It is wrapped with what
// is wrong, which never repeats a key.
var ErrInvalid = errors.New("invalid keys")

// Key is one secret with its name.
type Key struct {
	// ID names the key: 1 to 16 letters and digits.
	ID     string
	Secret [Size]byte
}

// String keeps the secret out of logs.
func (k Key) String() string { return "key " + k.ID }

// GoString keeps the secret out of logs.
func (k Key) GoString() string { return k.String() }

// Parse reads a setting. The first key of the result is the one to make new
// things with.
func Parse(setting string) ([]Key, error) {
	if strings.TrimSpace(setting) == "" {
		return nil, fmt.Errorf("%w: none is set; %s", ErrInvalid, Cure)
	}
	entries := strings.Split(setting, ",")
	if len(entries) > maxKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d live at a time", ErrInvalid, len(entries), maxKeys)
	}
	keys := make([]Key, 0, len(entries))
	for i, entry := range entries {
		key, err := parseKey(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("%w: key %d of %d: %w; %s", ErrInvalid, i+1, len(entries), err, Cure)
		}
		keys = append(keys, key)
	}
	if len(keys) == maxKeys && keys[0].ID == keys[1].ID {
		return nil, fmt.Errorf("%w: both keys have the kid %s; give the new one another", ErrInvalid, keys[0].ID)
	}
	return keys, nil
}

var kidPattern = regexp.MustCompile(`^[A-Za-z0-9]{1,16}$`)

func parseKey(entry string) (Key, error) {
	kid, encoded, named := strings.Cut(entry, ":")
	if !named {
		kid, encoded = "1", entry
	}
	if !kidPattern.MatchString(kid) {
		return Key{}, errors.New("the kid is not 1 to 16 letters and digits")
	}
	secret, err := decode(encoded)
	if err != nil {
		return Key{}, errors.New("it is not base64")
	}
	if len(secret) != Size {
		return Key{}, fmt.Errorf("it has %d bytes, not %d", len(secret), Size)
	}
	if distinct(secret) < minDistinct {
		return Key{}, errors.New("it is not random")
	}
	key := Key{ID: kid}
	copy(key.Secret[:], secret)
	return key, nil
}

// decode takes both alphabets of base64, padded or not.
func decode(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}

func distinct(secret []byte) int {
	seen := map[byte]bool{}
	for _, b := range secret {
		seen[b] = true
	}
	return len(seen)
}
