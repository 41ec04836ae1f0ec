package load

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

// Codes finds the code that was mailed to an address.
type Codes interface {
	// Code returns the code of the newest mail to an address that shows ref, and
	// "" while there is none. ref is "" when it is not known.
	Code(ctx context.Context, address, ref string) (string, error)
}

// Waiting says how a code is waited for. The zero value is made for a mailbox
// that is near.
type Waiting struct {
	// Within is how long a mail may take; 0: 60 s.
	Within time.Duration
	// First is when a mailbox is looked into for the first time; 0: 20 ms. The
	// pauses between the following looks grow by half, up to a second.
	First time.Duration
}

const (
	mailWithin = time.Minute
	mailFirst  = 20 * time.Millisecond
	mostPause  = time.Second
	// doneWithin is how long the progress is followed: a cast whose worker died is
	// sent again after a minute.
	doneWithin = 100 * time.Second
)

// code waits for the code of an address.
func (w Waiting) code(ctx context.Context, v *Visit, codes Codes, address, ref string) (code string, err error) {
	err = v.Await(StepMail, func() error {
		code, err = w.poll(ctx, codes, address, ref)
		return err
	})
	return code, err
}

// poll looks into the mailbox again and again. One that cannot be read is asked
// again too, and told of when the time is over.
func (w Waiting) poll(ctx context.Context, codes Codes, address, ref string) (string, error) {
	within, each := w.Within, w.First
	if within <= 0 {
		within = mailWithin
	}
	if each <= 0 {
		each = mailFirst
	}
	for end := time.Now().Add(within); ; each = min(each+each/2, mostPause) {
		if err := pause(ctx, each); err != nil {
			return "", err
		}
		code, err := codes.Code(ctx, address, ref)
		switch {
		case err == nil && code != "":
			return code, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case time.Now().Before(end):
		case err != nil:
			return "", fmt.Errorf("%w: %w", ErrMailbox, err)
		default:
			return "", fmt.Errorf("%w within %v", ErrNoMail, within)
		}
	}
}

// codePattern is a code of 6 to 10 digits that stands by itself. Colours and
// characters written by their number are none.
var codePattern = regexp.MustCompile(`(?:^|[^0-9A-Za-z#&;.])(\d{6,10})(?:$|[^0-9A-Za-z;])`)

// FindCode returns the first code in a text, or "".
func FindCode(text string) string {
	found := codePattern.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return found[1]
}

// until asks each second until the answer is yes.
func until(ctx context.Context, within time.Duration, ask func() (bool, error)) error {
	for end := time.Now().Add(within); time.Now().Before(end); {
		if done, err := ask(); done || err != nil {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w after %v", ErrNotDone, within)
}
