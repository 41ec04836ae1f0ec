package email

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"time"

	"matriq/pkg/rpc"
)

var (
	// ErrRefused means that a mail server answered 5xx to a mail.
	ErrRefused = errors.New("the mail server refuses the mail")
	// ErrUnsafe means that a field would have broken out of its header, or is no
	// address.
	ErrUnsafe = errors.New("a field of the mail is unsafe")
	// ErrExpired means that the mail's code had died before it was handed over.
	ErrExpired = errors.New("the code has expired")
)

// Mail is one mail to one person.
type Mail struct {
	// ID names the mail in the log and, with the sender's domain, in its
	// Message-ID. Repeats of a cast have the same.
	ID string
	// MessageID is "ID@domain".
	MessageID string
	To        string
	Language  string
	Content
	// Expires is when it must no longer be sent; zero for never.
	Expires time.Time
}

// Content is what a person sees.
type Content struct {
	Subject, Text, HTML string
}

// identify returns the ID of the mail that a cast asks for: from the cast's
// idempotency key, else from what it says, so that a client without keys can
// repeat its cast as well.
func identify(ctx context.Context, lane Lane, said ...string) string {
	parts := []string{"matriq mail", string(lane), "key", rpc.KeyFrom(ctx)}
	if rpc.KeyFrom(ctx) == "" {
		parts = append([]string{"matriq mail", string(lane), "content"}, said...)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// check refuses what would break out of a header.
func (m Mail) check() error {
	if slices.ContainsFunc([]string{m.MessageID, m.To, m.Language, m.Subject}, unsafe) {
		return ErrUnsafe
	}
	if strings.Contains(m.Text+m.HTML, "\x00") {
		return ErrUnsafe
	}
	return nil
}

// unsafe reports whether s cannot stand in one line.
func unsafe(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }
