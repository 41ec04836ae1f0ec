// Package otp keeps the list of eligible addresses and issues, verifies and
// spends their one-time codes.
//
// A code is six digits, lives ten minutes, bears five guesses and works once; a
// newer one replaces it. Redis holds an HMAC of it under a pepper that Redis
// does not know. Each decision is one Lua script on Redis's clock, so replicas
// never disagree, and two parallel right guesses give one success.
//
// Limits hold for an address, whoever asks or guesses, and for a source, at
// whatever address: an IPv4 address or an IPv6 /64, as the edge tells it.
//
// An address that is not listed, or is registered, takes the same steps: it is
// counted, limited and challenged like any other, and gets a reply of the same
// shape. Its challenge is a decoy that no code meets, and only the mail worker,
// opening the envelope, sees that.
//
// When Redis cannot be asked every method fails with [rpc.Unavailable], and no
// code is accepted. What Redis loses, codes and counts, is lost: a person then
// asks again. A code sent by mail confirms an address and proves nothing else.
package otp

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/address"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/proof"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
	"matriq/pkg/service"
)

// Service answers the methods of [otpapi].
type Service struct {
	store   *Store
	rules   Rules
	pepper  Pepper
	seal    seal.Keys
	proofs  proof.Keys
	allowed networks
	counts  counts
}

// New returns a service over store. It fails when a key or a network of rules
// cannot be read.
func New(store *Store, rules Rules, metrics prometheus.Registerer) (*Service, error) {
	pepper, err := ParsePepper(rules.Pepper)
	if err != nil {
		return nil, fmt.Errorf("OTP_PEPPER: %w", err)
	}
	keys, err := seal.ParseKeys(rules.SealKey)
	if err != nil {
		return nil, fmt.Errorf("OTP_SEAL_KEY: %w", err)
	}
	proofs, err := proof.ParseKeys(rules.ProofKey)
	if err != nil {
		return nil, fmt.Errorf("OTP_PROOF_KEY: %w", err)
	}
	allowed, err := parseNetworks(rules.SourceAllow)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_ALLOW: %w", err)
	}
	counts, err := newCounts(metrics)
	if err != nil {
		return nil, err
	}
	return &Service{
		store: store, rules: rules, pepper: pepper, seal: keys, proofs: proofs,
		allowed: allowed, counts: counts,
	}, nil
}

// Routes lists what the service serves. Its events go to events.
func (s *Service) Routes(events rpc.Caster) []rpc.Route {
	retired := otpapi.Retired.Gather(events)
	return []rpc.Route{
		otpapi.Import.Handle(s.importList),
		otpapi.Create.Handle(s.create),
		otpapi.Authen.Handle(s.authen),
		otpapi.Prove.Handle(s.prove),
		otpapi.Status.Handle(s.status),
		otpapi.Delete.Handle(s.withdraw),
		otpapi.Unlock.Handle(s.unlock),
		otpapi.Retire.Handle(func(ctx context.Context, req otpapi.EmailRequest) error {
			return s.retire(ctx, req, retired)
		}),
	}
}

// Serve serves the routes until ctx ends.
func (s *Service) Serve(ctx context.Context, conn *rpc.Conn) error {
	return conn.Serve(ctx, s.Routes(conn)...)
}

// Checks are what /readyz asks.
func (s *Service) Checks(conn *rpc.Conn) []service.Check {
	return []service.Check{
		{Name: "amqp", Ready: func(context.Context) error { return conn.Serving() }},
		{Name: "redis", Ready: s.store.Ready},
	}
}

// canonical is the first step of every method.
func canonical(typed string) (string, error) {
	who, err := address.Canonical(typed)
	if err != nil {
		return "", rpc.Errorf(rpc.InvalidArgument, "%v", err).Because(reasonBadEmail)
	}
	return who, nil
}

// Reasons of the errors that leave the service; [RefusalError] has the others.
const (
	reasonBadEmail    = "bad_email"
	reasonBadOTP      = "bad_otp"
	reasonTooMany     = "too_many"
	reasonUnavailable = "unavailable"
)

// failed turns an error of the store into one for a caller.
func (s *Service) failed(err error) error {
	if refusal, ok := errors.AsType[*RefusalError](err); ok {
		s.counts.refused.WithLabelValues(refusal.Reason).Inc()
		return refusal.rpcError()
	}
	return rpc.Errorf(rpc.Unavailable, "the service is not available at the moment: %w", err).Because(reasonUnavailable)
}
