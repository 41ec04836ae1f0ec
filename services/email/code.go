package email

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matriq/pkg/address"
	"matriq/pkg/api/emailapi"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
)

// errKind means that otp seals something newer than this worker knows.
var errKind = errors.New("an envelope of an unknown kind")

// sendCode opens the envelope and does what its kind asks for. The address
// beside the envelope is what somebody typed: it is not used.
func (s *Service) sendCode(ctx context.Context, args emailapi.SendCodeArgs) error {
	e, err := s.keys.Open(args.OTP.Sealed, args.OTP.Ref)
	switch {
	case errors.Is(err, seal.ErrUnknownKey): // a rotation may be under way
		s.counts.mail(LaneCodes, resultDeferred)
		return fmt.Errorf("open the code: %w", err)
	case err != nil:
		s.counts.mail(LaneCodes, resultRefused)
		return fmt.Errorf("open the code: %w: %w", rpc.ErrPermanent, err)
	}
	switch e.Kind {
	case seal.DecoyUnlisted:
		s.counts.mail(LaneCodes, resultDecoy)
		return nil
	case seal.Code:
		return s.mailCode(ctx, args.OTP.Sealed, e, pageCode)
	case seal.DecoyRegistered:
		return s.mailCode(ctx, args.OTP.Sealed, e, pageRegistered)
	}
	s.counts.mail(LaneCodes, resultRefused)
	return fmt.Errorf("%w: %w", rpc.ErrPermanent, errKind)
}

func (s *Service) mailCode(ctx context.Context, sealed string, e seal.Envelope, p page) error {
	m, err := s.codeMail(ctx, sealed, e, p)
	if err != nil {
		s.counts.mail(LaneCodes, resultRefused)
		return fmt.Errorf("write the mail: %w: %w", rpc.ErrPermanent, err)
	}
	at, result, err := s.deliver(ctx, LaneCodes, m)
	s.counts.mail(LaneCodes, result)
	if errors.Is(err, ErrExpired) {
		return nil // nobody waits for it any more
	}
	if err != nil {
		return fmt.Errorf("mail a code: %w", err)
	}
	if result == resultSent && e.Kind == seal.Code {
		s.counts.mailed.Inc()
		s.counts.lag.Observe(at.Sub(e.Issued).Seconds())
	}
	return nil
}

func (s *Service) codeMail(ctx context.Context, sealed string, e seal.Envelope, p page) (Mail, error) {
	to, err := address.Mailbox(e.Email)
	if err != nil {
		return Mail{}, fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	if unsafe(e.Code) || unsafe(e.Ref) {
		return Mail{}, ErrUnsafe
	}
	id, language := identify(ctx, LaneCodes, sealed), s.language(ctx)
	content, err := s.pages.render(p, language, view{
		Site: s.rules.site(language), Code: e.Code, Ref: e.Ref, Minutes: minutes(time.Until(e.Expires)),
	})
	if err != nil {
		return Mail{}, err
	}
	return Mail{ID: id, MessageID: id + "@" + s.rules.domain(), To: to, Language: language, Content: content, Expires: e.Expires}, nil
}

// minutes rounds a rest of life to what a person wants to know.
func minutes(left time.Duration) int { return max(1, int(left.Round(time.Minute)/time.Minute)) }
