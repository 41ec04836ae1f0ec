package otp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
)

// create handles otp.create. Whatever the address, it does the same work.
func (s *Service) create(ctx context.Context, req otpapi.EmailRequest) (otpapi.CreateReply, error) {
	who, err := canonical(req.Email)
	if err != nil {
		return otpapi.CreateReply{}, err
	}
	refs, err := drawRefs()
	if err != nil {
		return otpapi.CreateReply{}, err
	}
	draw := rand.Text()
	code := s.pepper.Code(who, draw, s.rules.Digits)
	issued, err := s.store.Issue(ctx, Ask{
		Address: who,
		Source:  s.allowed.source(rpc.MetaFrom(ctx).ClientIP),
		Once:    s.pepper.Once(ctx),
		Draw:    draw,
		Digest:  s.pepper.Digest(who, code),
		Refs:    refs,
	})
	if errors.Is(err, ErrNotEligible) {
		return otpapi.CreateReply{}, nil
	}
	if err != nil {
		return otpapi.CreateReply{}, s.failed(err)
	}
	if issued.Draw != draw {
		return s.sealedAgain(who, issued)
	}
	s.counts.asked.Inc()
	return s.sealed(issued, code)
}

// sealedAgain answers a repeated request with the code that is out.
func (s *Service) sealedAgain(who string, issued Issued) (otpapi.CreateReply, error) {
	code, err := s.pepper.CodeAgain(issued.Key, who, issued.Draw, s.rules.Digits)
	if err != nil {
		return otpapi.CreateReply{}, s.failed(err)
	}
	return s.sealed(issued, code)
}

// sealed puts the code, or a decoy in its place, where only the mail worker can
// read it.
func (s *Service) sealed(issued Issued, code string) (otpapi.CreateReply, error) {
	envelope := seal.Envelope{
		Kind: issued.Kind, Email: issued.Mailbox, Ref: issued.Ref,
		Issued: issued.At, Expires: issued.Expires,
	}
	if issued.Kind == seal.Code {
		envelope.Code = code
	}
	sealed, err := s.seal.Seal(envelope)
	if err != nil {
		return otpapi.CreateReply{}, fmt.Errorf("seal the code: %w", err)
	}
	return otpapi.CreateReply{Eligible: true, Code: otpapi.SealedCode{
		Sealed:      sealed,
		ID:          codeID(issued.Draw),
		Ref:         issued.Ref,
		ExpiresIn:   secondsLeft(issued.Expires.Sub(issued.At)),
		ResendAfter: secondsToWait(issued.ResendAfter),
	}}, nil
}

// codeID names a code by its draw, and gives away neither.
func codeID(draw string) string {
	sum := sha256.Sum256([]byte("matriq/otp/id/" + draw))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// secondsLeft rounds down: a code is never said to live longer than it does.
func secondsLeft(d time.Duration) int { return int(d / time.Second) }

// secondsToWait rounds up: whoever waits that long has waited long enough.
func secondsToWait(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
