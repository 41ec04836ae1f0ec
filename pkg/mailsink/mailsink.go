// Package mailsink is a mail server that delivers nothing: it takes every mail
// over SMTP, keeps it in memory and shows it, for a demonstration in one process
// and for tests.
//
// [Sink.ServeSMTP] speaks SMTP, with STARTTLS and a login when [Options] ask for
// them, and takes commands in groups (PIPELINING); behind a TLS listener it speaks
// SMTP over implicit TLS. [Sink.Handler]
// is the inbox: pages for people and GET /api/messages?to=ADDRESS for programs,
// newest first. A test waits for a mail with [Sink.Wait] and makes the server
// misbehave with [Sink.Inject].
//
// Memory is bounded: the newest 10,000 mails and 256 MiB are kept by default, a
// mail of more than 1 MiB is refused. Nothing is stored on disk, so a restart
// empties the inbox. The pages ask for no password and show every mail,
// one-time codes included: serve them on loopback alone.
package mailsink

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/mail"
	"sync/atomic"
	"time"
)

// Options say what a [Sink] offers. The zero value is a server without TLS and
// without login.
type Options struct {
	// Keep is how many mails are kept; zero means 10,000.
	Keep int
	// KeepBytes is how many bytes of mails are kept; zero means 256 MiB.
	KeepBytes int
	// Certificate makes the server offer STARTTLS; see [SelfSigned].
	Certificate *tls.Certificate
	// Username and Password make the server demand a login, by PLAIN or LOGIN.
	// With a Certificate it takes the password over TLS alone.
	Username, Password string
	// Log receives what goes wrong on a connection; nil drops it.
	Log *slog.Logger
}

// Message is one mail as one recipient got it.
type Message struct {
	// ID counts from 1 in the order of arrival.
	ID int64 `json:"-"`
	// To is the recipient of the envelope, in its spelling.
	To      string `json:"to"`
	Subject string `json:"subject"`
	// Text and HTML are the decoded parts of these types, or "".
	Text string `json:"text"`
	HTML string `json:"html"`
	// Lang is the header Content-Language.
	Lang       string    `json:"lang"`
	ReceivedAt time.Time `json:"received_at"`

	// From is the sender of the envelope.
	From string `json:"-"`
	// Header has the header as it came, encoded words and all.
	Header mail.Header `json:"-"`
	// Raw is the whole mail as it came.
	Raw []byte `json:"-"`
	// TLS tells whether the connection was encrypted.
	TLS bool `json:"-"`
	// User is who logged in, or "".
	User string `json:"-"`
	// Local is the address of the sink that the connection came to.
	Local string `json:"-"`
}

// Sink keeps what it is sent. Its methods may be called from any goroutine.
type Sink struct {
	opts        Options
	log         *slog.Logger
	store       *store
	faults      *faults
	connections atomic.Int64
	open        atomic.Int64
}

// New returns an empty sink.
func New(o Options) *Sink {
	if o.Keep <= 0 {
		o.Keep = 10_000
	}
	if o.KeepBytes <= 0 {
		o.KeepBytes = 256 << 20
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sink{opts: o, log: log, store: newStore(o.Keep, o.KeepBytes), faults: &faults{}}
}

// Messages returns the mails to an address that are still kept, newest first,
// whatever its case; with "" it returns all.
func (s *Sink) Messages(to string) []Message { return s.store.list(to) }

// Message returns the mail with an ID, while it is kept.
func (s *Sink) Message(id int64) (Message, bool) { return s.store.get(id) }

// Count returns how many mails have arrived, kept or not.
func (s *Sink) Count() int64 { return s.store.count() }

// Connections returns how many connections have been accepted.
func (s *Sink) Connections() int64 { return s.connections.Load() }

// Open returns how many connections have said EHLO and are not closed.
func (s *Sink) Open() int64 { return s.open.Load() }

// Wait returns the oldest kept mail for which match is true, as soon as there
// is one, and the error of ctx when there is none until it ends.
func (s *Sink) Wait(ctx context.Context, match func(Message) bool) (Message, error) {
	return s.store.wait(ctx, match)
}
