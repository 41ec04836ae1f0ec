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
func (s *Service) sendConfirmation(ctx context.Context, sent rpc.Gathering[emailapi.SentEvent], args emailapi.SendConfirmationArgs) error {
	m, err := s.confirmationMail(ctx, args)
	if err != nil {
		err = fmt.Errorf("write the mail: %w", err)
		s.counts.attempt(LaneConfirmations, "", err)
		return edge(err)
	}
	at, result, err := s.deliver(ctx, LaneConfirmations, m)
	s.counts.attempt(LaneConfirmations, result, err)
	if err != nil {
		return edge(err)
	}
	if result == resultSent {
		s.counts.confirmed.Inc()
	}
	key := rpc.KeyFrom(ctx)
	if key == "" {
		return nil // a client without keys waits for no event
	}
	return sent.Emit(rpc.WithKey(ctx, key), emailapi.SentEvent{Key: key, At: at})
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
	return Mail{ID: id, MessageID: id + "@" + s.domain, To: to, Language: language, Content: content}, nil
}
