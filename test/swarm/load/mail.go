package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matriq/test/harness"
)

const (
	// mailWithin covers one retry of a cast after a mail worker was killed.
	mailWithin = 90 * time.Second
	mailEach   = 300 * time.Millisecond
	// doneWithin is how long the progress is followed: a cast whose worker died
	// is sent again after a minute.
	doneWithin = 100 * time.Second
	doneEach   = time.Second
)

var (
	errNoMail  = errors.New("no mail")
	errNotDone = errors.New("not all is done")
)

// code looks for the first mail with a code. An inbox that does not answer is
// asked again: it belongs to the test.
func (s *Site) code(ctx context.Context, email string) (string, error) {
	until := time.Now().Add(mailWithin)
	for time.Now().Before(until) {
		mails, err := s.Inbox.Fetch(ctx, email)
		for _, m := range mails {
			if code := harness.FindCode(m); code != "" {
				return code, nil
			}
		}
		if pause(ctx, mailEach) != nil {
			return "", errors.Join(ctx.Err(), err)
		}
	}
	return "", fmt.Errorf("%w within %v", errNoMail, mailWithin)
}

// untilDone asks each second until the answer is yes.
func untilDone(ctx context.Context, ask func() (bool, error)) error {
	until := time.Now().Add(doneWithin)
	for time.Now().Before(until) {
		if done, err := ask(); done || err != nil {
			return err
		}
		if err := pause(ctx, doneEach); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w after %v", errNotDone, doneWithin)
}
