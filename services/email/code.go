package email

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matriq/pkg/address"
	"matriq/pkg/api/emailapi"
	"matriq/pkg/seal"
)

// sendCode does what the envelope asks for.
func (s *Service) sendCode(ctx context.Context, args emailapi.SendCodeArgs) error {
	result, err := s.mailCode(ctx, args)
	s.counts.attempt(LaneCodes, result, err)
	if errors.Is(err, ErrExpired) {
		return nil // nobody waits for it any more
	}
	return edge(err)
}

// mailCode opens the envelope. The address beside it is what somebody typed: it
// is not used.
func (s *Service) mailCode(ctx context.Context, args emailapi.SendCodeArgs) (result, error) {
	e, err := s.keys.Open(args.OTP.Sealed, args.OTP.Ref)
	if err != nil {
		return "", fmt.Errorf("open the code: %w", err)
	}
	p, ok := map[seal.Kind]page{seal.Code: pageCode, seal.DecoyRegistered: pageRegistered, seal.DecoyUnlisted: ""}[e.Kind]
	switch {
	case !ok:
		return "", errKind
	case p == "":
		return resultDecoy, nil
	}
	m, err := s.codeMail(ctx, identify(ctx, LaneCodes, args.OTP.Sealed), p, e)
	if err != nil {
		return "", fmt.Errorf("write the mail: %w", err)
	}
	at, result, err := s.deliver(ctx, LaneCodes, m)
	if result == resultSent && p == pageCode {
		s.counts.mailed.Inc()
		s.counts.lag.Observe(at.Sub(e.Issued).Seconds())
	}
	return result, err
}

func (s *Service) codeMail(ctx context.Context, id string, p page, e seal.Envelope) (Mail, error) {
	to, err := address.Mailbox(e.Email)
	if err != nil {
		return Mail{}, fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	if unsafe(e.Code) || unsafe(e.Ref) {
		return Mail{}, ErrUnsafe
	}
	language := s.language(ctx)
	content, err := s.pages.render(p, language, view{
		Site: s.rules.site(language), Code: e.Code, Ref: e.Ref, Minutes: minutes(time.Until(e.Expires)),
	})
	if err != nil {
		return Mail{}, err
	}
	return Mail{ID: id, MessageID: id + "@" + s.domain, To: to, Language: language, Content: content, Expires: e.Expires}, nil
}

// minutes rounds a rest of life to what a person wants to know.
func minutes(left time.Duration) int { return max(1, int(left.Round(time.Minute)/time.Minute)) }
