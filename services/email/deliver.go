package email

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"matriq/pkg/address"
)

const (
	// noteTime is how long a worker tries to note a mail that is out, or to give
	// back its claim.
	noteTime  = 15 * time.Second
	notePause = time.Second
)

// deliver sends m unless the log says that it is out, and returns when it went
// out.
func (s *Service) deliver(ctx context.Context, lane Lane, m Mail) (at time.Time, r result, err error) {
	token := rand.Text()
	sent, err := s.sent.Claim(ctx, m.ID, token, s.lease())
	if err != nil {
		return at, "", err
	}
	if !sent.IsZero() {
		return sent, resultRepeat, nil
	}
	if err := s.send(ctx, m); err != nil {
		s.release(ctx, m, token)
		return at, "", err
	}
	at = time.Now().UTC()
	s.note(ctx, m, at)
	s.log.InfoContext(ctx, "mail sent", slog.String("lane", string(lane)), slog.String("to", address.Mask(m.To)), slog.String("mail", m.ID))
	return at, resultSent, nil
}

// send makes one attempt.
func (s *Service) send(ctx context.Context, m Mail) error {
	if err := m.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.rules.Timeout)
	defer cancel()
	return s.sender.Send(ctx, m)
}

// note records a mail that is out, also when the worker is stopping. After its
// last failure the mail counts as sent all the same: to fail the attempt would
// surely send it twice.
func (s *Service) note(ctx context.Context, m Mail, at time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	for {
		err := s.sent.Note(ctx, m.ID, at)
		if err == nil {
			return
		}
		select {
		case <-time.After(notePause):
		case <-ctx.Done():
			s.log.ErrorContext(ctx, "sent mail not noted, a repeat would send it again", slog.String("mail", m.ID), slog.Any("error", err))
			return
		}
	}
}

// release lets the next attempt begin at once; without it that waits for the
// end of the lease.
func (s *Service) release(ctx context.Context, m Mail, token string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := s.sent.Release(ctx, m.ID, token); err != nil {
		s.log.WarnContext(ctx, "claim not released, the next attempt waits for its end", slog.String("mail", m.ID), slog.Any("error", err))
	}
}
