// Package seal puts a one-time code into an envelope that only the services otp
// and email can open: gateways, broker, logs and traces carry it blind.
//
// An envelope is AES-256-GCM under a key that the two share, with a random
// nonce, written as "kid.base64url". It is bound to its reference, which travels
// beside it. All envelopes of a key have the same length whatever they hold, so
// that a decoy looks like a code.
//
// The address inside is the one to which the mail goes: the address as listed.
// Keys rotate in three steps, each rolled out to both services: "old,new", then
// "new,old" once all can open the new one, then "new" once the last code of the
// old one has expired.
//
// A seal does not expire by itself and can be opened again and again; its
// opener looks at [Envelope.Expires] and tells repeats apart.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"matriq/pkg/keyring"
)

// Kind tells what the mail worker has to do.
type Kind string

const (
	// Code is mailed to its address.
	Code Kind = "code"
	// DecoyUnlisted is dropped: nobody listed the address.
	DecoyUnlisted Kind = "decoy_unlisted"
	// DecoyRegistered has no code; its owner is told that the registration is
	// already done.
	DecoyRegistered Kind = "decoy_registered"
)

// Envelope is what is sealed.
type Envelope struct {
	Kind Kind `json:"kind"`
	// Code is empty in a decoy.
	Code string `json:"code"`
	// Email is the address as listed, to which the mail goes; empty when nobody
	// listed it.
	Email string `json:"email"`
	// Ref is shown by the page and by the mail.
	Ref     string    `json:"ref"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

// plainSize is the length to which every envelope is filled up before it is
// sealed. The longest, with an address of 254 octets, has about 430.
const plainSize = 512

var (
	// ErrOpen means that an envelope was not made by the other side: its key is
	// not among ours, it was altered, or its reference is another one.
	ErrOpen = errors.New("the envelope cannot be opened")
	// ErrUnknownKey comes with [ErrOpen] when the kid is not among ours. It is the
	// one failure that time may mend: the key is on its way to this program.
	ErrUnknownKey = errors.New("its key is not among ours")
	// ErrTooLong means that an envelope holds more than fits.
	ErrTooLong = errors.New("the envelope holds too much")
	// ErrNoKeys means that [Keys] is its zero value.
	ErrNoKeys = errors.New("no keys to seal with")
)

// Keys seals and opens. It is safe for concurrent use, and prints no secret.
type Keys struct{ live []key }

type key struct {
	id   string
	aead cipher.AEAD
}

// ParseKeys reads a setting in the form of [keyring]: the first key seals, any
// opens.
func ParseKeys(setting string) (Keys, error) {
	ring, err := keyring.Parse(setting)
	if err != nil {
		return Keys{}, err
	}
	var keys Keys
	for _, k := range ring {
		block, err := aes.NewCipher(k.Secret[:])
		if err != nil {
			return Keys{}, fmt.Errorf("key %s: %w", k.ID, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return Keys{}, fmt.Errorf("key %s: %w", k.ID, err)
		}
		keys.live = append(keys.live, key{id: k.ID, aead: aead})
	}
	return keys, nil
}

// Seal closes an envelope and binds it to its Ref.
func (k Keys) Seal(e Envelope) (string, error) {
	if len(k.live) == 0 {
		return "", ErrNoKeys
	}
	plain, err := encode(e)
	if err != nil {
		return "", err
	}
	first := k.live[0]
	sealed := first.aead.Seal(nil, nil, plain, bound(first.id, e.Ref)) //nolint:gosec // the AEAD draws its own nonce: NewGCMWithRandomNonce
	return first.id + "." + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open returns what [Keys.Seal] closed, for the ref that came beside it. Every
// failure is [ErrOpen].
func (k Keys) Open(sealed, ref string) (Envelope, error) {
	id, encoded, _ := strings.Cut(sealed, ".")
	box, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return Envelope{}, fmt.Errorf("%w: it is not base64", ErrOpen)
	}
	for _, live := range k.live {
		if live.id == id {
			return live.open(box, ref)
		}
	}
	return Envelope{}, fmt.Errorf("%w: %w", ErrOpen, ErrUnknownKey)
}

func (k key) open(box []byte, ref string) (Envelope, error) {
	plain, err := k.aead.Open(nil, nil, box, bound(k.id, ref))
	if err != nil {
		return Envelope{}, fmt.Errorf("%w: it was altered, or belongs to another reference", ErrOpen)
	}
	var e Envelope
	if err := json.Unmarshal(plain, &e); err != nil {
		return Envelope{}, fmt.Errorf("%w: its content cannot be read", ErrOpen)
	}
	if e.Ref != ref {
		return Envelope{}, fmt.Errorf("%w: it belongs to another reference", ErrOpen)
	}
	return e, nil
}

// encode fills the JSON of e up with spaces, which a reader of JSON ignores.
func encode(e Envelope) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode the envelope: %w", err)
	}
	if b.Len() > plainSize {
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrTooLong, b.Len(), plainSize)
	}
	b.Write(bytes.Repeat([]byte{' '}, plainSize-b.Len()))
	return b.Bytes(), nil
}

// bound is what is authenticated and not encrypted. A kid has no NUL, so that
// no two pairs run into one another.
func bound(kid, ref string) []byte {
	return []byte("matriq/seal/1\x00" + kid + "\x00" + ref)
}

// String keeps the keys out of logs.
func (k Keys) String() string { return fmt.Sprintf("%d keys", len(k.live)) }

// GoString keeps the keys out of logs.
func (k Keys) GoString() string { return k.String() }
