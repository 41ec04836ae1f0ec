package email

import (
	"errors"

	"matriq/pkg/rpc"
	"matriq/pkg/seal"
)

// errKind means that otp seals something newer than this worker knows.
var errKind = errors.New("the envelope is of an unknown kind")

// result is what became of an attempt at a mail.
type result string

const (
	resultSent     result = "sent"     // a mail server took charge of it
	resultRepeat   result = "repeat"   // it was out already
	resultDecoy    result = "decoy"    // there was nothing to send
	resultExpired  result = "expired"  // its code had died
	resultClaimed  result = "claimed"  // another worker was at it
	resultDeferred result = "deferred" // another attempt is due
	resultRefused  result = "refused"  // it is parked
)

var results = []result{
	resultSent, resultRepeat, resultDecoy, resultExpired, resultClaimed, resultDeferred, resultRefused,
}

// resultOf names a failure.
func resultOf(err error) result {
	switch {
	case errors.Is(err, ErrExpired):
		return resultExpired
	case errors.Is(err, ErrClaimed):
		return resultClaimed
	case errors.Is(edge(err), rpc.ErrPermanent):
		return resultRefused
	}
	return resultDeferred
}

// edge gives a failure the code and the reason under which an operator finds it,
// and marks what no further attempt can mend. A key that is not known yet and an
// envelope of a kind that is not known yet may come from a newer otp: they are
// tried again.
func edge(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		return rpc.Errorf(rpc.FailedPrecondition, "the mail server refuses the mail: %w: %w", rpc.ErrPermanent, err).Because("mail_refused")
	case errors.Is(err, ErrUnsafe):
		return rpc.Errorf(rpc.InvalidArgument, "the mail cannot be written safely: %w: %w", rpc.ErrPermanent, err).Because("bad_mail")
	case errors.Is(err, seal.ErrUnknownKey), errors.Is(err, errKind):
		return rpc.Errorf(rpc.FailedPrecondition, "the code cannot be opened yet: %w", err).Because("unknown_seal")
	case errors.Is(err, seal.ErrOpen):
		return rpc.Errorf(rpc.InvalidArgument, "the code cannot be opened: %w: %w", rpc.ErrPermanent, err).Because("bad_seal")
	case errors.Is(err, ErrClaimed):
		return rpc.Errorf(rpc.Aborted, "the mail is being sent: %w", err).Because("mail_claimed")
	}
	return rpc.Errorf(rpc.Unavailable, "the mail could not be sent: %w", err).Because("mail_deferred")
}
