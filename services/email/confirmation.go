package email

import (
	"context"
	"fmt"
	"strconv"

	"matriq/pkg/address"
	"matriq/pkg/api/emailapi"
	"matriq/pkg/rpc"
)

// sendConfirmation mails the student ID and tells that it is out, under the key
// of the cast, also when that was long ago: the first telling may be lost.
func (s *Service) sendConfirmation(ctx context.Context, events rpc.Caster, args emailapi.SendConfirmationArgs) error {
	m, err := s.confirmationMail(ctx, args)
	if err != nil {
		s.counts.mail(LaneConfirmations, resultRefused)
		return fmt.Errorf("write the mail: %w: %w", rpc.ErrPermanent, err)
	}
	at, result, err := s.deliver(ctx, LaneConfirmations, m)
	s.counts.mail(LaneConfirmations, result)
	if err != nil {
		return fmt.Errorf("mail a confirmation: %w", err)
	}
	if result == resultSent {
		s.counts.confirmed.Inc()
	}
	key := rpc.KeyFrom(ctx)
	if key == "" {
		return nil // a client without keys waits for no event
	}
	if err := emailapi.Sent.Emit(rpc.WithKey(ctx, key), events, emailapi.SentEvent{Key: key, At: at}); err != nil {
		return fmt.Errorf("tell that a confirmation is out: %w", err)
	}
	return nil
}

func (s *Service) confirmationMail(ctx context.Context, args emailapi.SendConfirmationArgs) (Mail, error) {
	to, err := address.Mailbox(args.Email)
	if err != nil {
		return Mail{}, fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	if unsafe(args.Firstname) || unsafe(args.Lastname) {
		return Mail{}, ErrUnsafe
	}
	student := strconv.FormatInt(args.StudentID, 10)
	id, language := identify(ctx, LaneConfirmations, student, to), s.language(ctx)
	content, err := s.pages.render(pageConfirmation, language, view{
		Site: s.rules.site(language), StudentID: student, Firstname: args.Firstname, Lastname: args.Lastname,
	})
	if err != nil {
		return Mail{}, err
	}
	return Mail{ID: id, MessageID: id + "@" + s.rules.domain(), To: to, Language: language, Content: content}, nil
}
