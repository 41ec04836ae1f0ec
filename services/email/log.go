package email

import (
	"context"
	"errors"
	"time"
)

// ErrClaimed means that another worker is at this mail.
var ErrClaimed = errors.New("another worker has claimed this mail")

// Log remembers which mails are out. All replicas share it, so its methods are
// atomic across processes.
type Log interface {
	// Claim reserves the mail id for the worker that holds token, until the lease
	// is over. It returns when the mail was sent, the zero time if it was not,
	// and [ErrClaimed] while another token has it. Claiming again with the same
	// token succeeds.
	Claim(ctx context.Context, id, token string, lease time.Duration) (sent time.Time, err error)
	// Note records that the mail went out at a time, whoever has claimed it.
	Note(ctx context.Context, id string, at time.Time) error
	// Release gives the claim of token back, and leaves anything else alone.
	Release(ctx context.Context, id, token string) error
	// Ready returns nil while the log can be reached.
	Ready(ctx context.Context) error
}
