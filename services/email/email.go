// Package email turns casts into mails: one-time codes on the lane email_otp,
// confirmations on the lane email.
//
// Codes arrive sealed. Only this worker and otp can open them, and the mail goes
// to the address inside, as it was listed, never to the one that somebody typed.
// A decoy sends nothing, or tells a registered owner so. No code is mailed after
// it died.
//
// A mail goes out at least once; twice only when a worker dies between the SMTP
// 250 and its note of it. Each mail is claimed in a log that all replicas share,
// under the idempotency key of its cast, before it is sent, and noted there
// after the 250. A claim lapses when its worker has died. A repeat of a noted
// mail sends nothing and tells its sender once more. What no worker can tell
// from its death counts as such: a 250 that is lost on the way, a note that Redis
// does not take. Both mails then carry the same Message-ID.
//
// A mail server's 4xx, or none at all, is a failed attempt, which the broker
// gives back later; its 5xx to a mail parks the cast for an operator. Not
// promised: that a mail arrives. A mail server has taken charge of it.
package email

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
	"matriq/pkg/service"
)

// About is what the program says of itself.
const About = "mails one-time codes and confirmations"

// Sender hands mails to a mail server.
type Sender interface {
	// Send returns nil once a mail server has taken charge of m. It fails with
	// [ErrRefused] when the server never will, with [ErrUnsafe] when m is not fit
	// to be sent, and with [ErrExpired] when m died before it was handed over.
	// After any other error another attempt is due.
	Send(ctx context.Context, m Mail) error
	// Ready returns nil while a mail server can be reached.
	Ready(ctx context.Context) error
}

// Service mails what the casts of [emailapi] ask for.
type Service struct {
	sender Sender
	sent   Log
	keys   seal.Keys
	rules  Rules
	domain string // right-hand side of the mails' Message-IDs
	pages  templates
	log    *slog.Logger
	counts counts
}

// New returns a service that sends through sender and remembers in sent. It
// fails when a key or an address of rules cannot be read.
func New(sender Sender, sent Log, rules Rules, log *slog.Logger, metrics prometheus.Registerer) (*Service, error) {
	s := &Service{sender: sender, sent: sent, rules: rules, log: log}
	var err error
	if rules.Lane.codes() {
		if s.keys, err = seal.ParseKeys(rules.SealKey); err != nil {
			return nil, fmt.Errorf("OTP_SEAL_KEY: %w", err)
		}
	}
	from, err := rules.from()
	if err != nil {
		return nil, fmt.Errorf("MAIL_FROM: %w", err)
	}
	s.domain = from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	if s.pages, err = parseTemplates(); err != nil {
		return nil, err
	}
	if s.counts, err = newCounts(metrics); err != nil {
		return nil, err
	}
	return s, nil
}

// Routes returns the casts of the lanes that this worker serves. Confirmations
// are told to events.
func (s *Service) Routes(events rpc.Caster) []rpc.Route {
	var routes []rpc.Route
	if s.rules.Lane.codes() {
		routes = append(routes, emailapi.SendCode.Handle(s.sendCode))
	}
	if s.rules.Lane.confirmations() {
		sent := emailapi.Sent.Gather(events)
		routes = append(routes, emailapi.SendConfirmation.Handle(
			func(ctx context.Context, args emailapi.SendConfirmationArgs) error {
				return s.sendConfirmation(ctx, sent, args)
			}))
	}
	return routes
}

// Serve works on the casts that conn delivers until ctx ends.
func (s *Service) Serve(ctx context.Context, conn *rpc.Conn) error {
	return conn.Serve(ctx, s.Routes(conn)...)
}

// Checks are what the service cannot work without.
func (s *Service) Checks(conn *rpc.Conn) []service.Check {
	return []service.Check{
		{Name: "amqp", Ready: func(context.Context) error { return conn.Serving() }},
		{Name: "redis", Ready: s.sent.Ready},
		{Name: "smtp", Ready: s.sender.Ready, Foreign: true},
	}
}

// lease is how long a claim holds: longer than a mail and its note may take.
func (s *Service) lease() time.Duration { return s.rules.Timeout + noteTime }
