// Package proof lets a gateway know that an address has proved itself, without
// asking the service that saw it.
//
// The service otp makes a proof for whoever gave the right code; the client keeps
// it; the register-gateway checks it. It says until when it counts and where mail
// to the address goes: the mailbox as it is listed.
//
// A proof is an HMAC-SHA-256 with what it is of, under a key that the two share,
// written as "kid.base64url". It is bound to the canonical address, which travels
// beside it. Keys rotate in three steps, each rolled out to both services:
// "old,new", then "new,old" once all can check the new one, then "new".
//
// A proof is readable, counts as often as it is shown, and cannot be taken back
// before it ends. Its end was set by Redis's clock and is held to the clock of
// whoever checks.
package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"matriq/pkg/keyring"
)

const (
	// maxMailbox is the length of the longest address.
	maxMailbox = 254
	// maxText is more than the longest proof has, which is 409.
	maxText = 512
	// head is what stands before the mailbox: the HMAC and the time.
	head = sha256.Size + 8
)

var (
	// ErrInvalid means that a proof was not made for this address by the other side:
	// its key is not among ours, or it was altered, or is of another address.
	ErrInvalid = errors.New("the proof is not valid")
	// ErrExpired means that a proof counts no more.
	ErrExpired = errors.New("the proof has expired")
)

// Keys makes and checks proofs. The zero value makes none and accepts none. It is
// safe for concurrent use, and prints no secret.
type Keys struct{ live []keyring.Key }

// ParseKeys reads a setting in the form of [keyring]: the first key makes, any
// checks. An empty one is the zero value.
func ParseKeys(setting string) (Keys, error) {
	if setting == "" {
		return Keys{}, nil
	}
	live, err := keyring.Parse(setting)
	return Keys{live: live}, err
}

// Make returns a proof that a canonical address proved itself, which counts until
// the time given, and has the mailbox. It is empty where there are no keys, or no
// mailbox that could be one.
func (k Keys) Make(address, mailbox string, until time.Time) string {
	if len(k.live) == 0 || mailbox == "" || len(mailbox) > maxMailbox {
		return ""
	}
	key := k.live[0]
	box := make([]byte, sha256.Size, head+len(mailbox))
	box = binary.BigEndian.AppendUint64(box, uint64(until.UnixMilli()))
	box = append(box, mailbox...)
	copy(box, sum(key, address, box[sha256.Size:]))
	return key.ID + "." + base64.RawURLEncoding.EncodeToString(box)
}

// Check returns the mailbox of a proof that counts now, for the canonical address
// that came beside it. It fails with [ErrInvalid] or [ErrExpired].
func (k Keys) Check(text, address string, now time.Time) (string, error) {
	kid, box, err := read(text)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(k.live, func(key keyring.Key) bool { return key.ID == kid })
	if i < 0 {
		return "", fmt.Errorf("%w: its key is not among ours", ErrInvalid)
	}
	if !hmac.Equal(box[:sha256.Size], sum(k.live[i], address, box[sha256.Size:])) {
		return "", fmt.Errorf("%w: it was altered, or is of another address", ErrInvalid)
	}
	until := time.UnixMilli(int64(binary.BigEndian.Uint64(box[sha256.Size:head]))) //nolint:gosec // it was one: the HMAC is right
	if !now.Before(until) {
		return "", ErrExpired
	}
	return string(box[head:]), nil
}

// read splits a proof, of which nothing is known yet, into the name of its key and
// a box that has more than its head.
func read(text string) (kid string, box []byte, err error) {
	if len(text) > maxText {
		return "", nil, fmt.Errorf("%w: it is too long", ErrInvalid)
	}
	kid, encoded, _ := strings.Cut(text, ".")
	box, err = base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return "", nil, fmt.Errorf("%w: it is not base64", ErrInvalid)
	}
	if len(box) <= head {
		return "", nil, fmt.Errorf("%w: it is too short", ErrInvalid)
	}
	return kid, box, nil
}

// sum is the HMAC of what a proof says of an address. Neither a kid nor a
// canonical address has a NUL, so that no two run into one another.
func sum(key keyring.Key, address string, said []byte) []byte {
	mac := hmac.New(sha256.New, key.Secret[:])
	mac.Write([]byte("matriq/proof/1\x00" + key.ID + "\x00" + address + "\x00"))
	mac.Write(said)
	return mac.Sum(nil)
}

// String keeps the keys out of logs.
func (k Keys) String() string { return fmt.Sprintf("%d keys", len(k.live)) }

// GoString keeps the keys out of logs.
func (k Keys) GoString() string { return k.String() }
