package rpc

import (
	"context"
	"errors"
)

// Messages and reasons of failures that the library itself states.
const (
	messageInternal    = "something went wrong on our side"
	messageUnavailable = "the service cannot be reached at the moment"
	messageTimeout     = "the time ran out before there was an answer"

	reasonNoService    = "no_such_service"
	reasonUnattended   = "unattended"
	reasonNotConnected = "not_connected"
	reasonLost         = "connection_lost"
	reasonOverloaded   = "overloaded"
	reasonStopping     = "stopping"
)

// failure of a publish, as the caller of the message sees it.
func failure(err error) *Error {
	e := &Error{Code: Unavailable, Message: messageUnavailable, Ran: RanNo, cause: err}
	switch {
	case errors.Is(err, errUnroutable):
		e.Reason = reasonNoService
	case errors.Is(err, errUnattended):
		e.Reason = reasonUnattended
	case errors.Is(err, errBlocked), errors.Is(err, errFull), errors.Is(err, errRefused):
		e.Reason = reasonOverloaded
	case errors.Is(err, errNotConnected):
		e.Reason = reasonNotConnected
	default:
		e.Reason = reasonLost
	}
	if p, ok := errors.AsType[*publishError](err); ok && p.sent {
		e.Ran, e.Reason = RanMaybe, reasonLost
	}
	return e
}

// lostReply is the outcome of the calls whose epoch is over.
func lostReply() *Error {
	return &Error{Code: Unavailable, Message: messageUnavailable, Reason: reasonLost, Ran: RanMaybe}
}

// doubt keeps the failure of a try from vouching for those before it, one of
// which may have run.
func (e *Error) doubt() {
	if e.Ran != RanNo {
		return
	}
	e.Ran = RanMaybe
	if e.Reason == reasonNotConnected {
		e.Reason = reasonLost
	}
}

func timeout(cause error, ran Ran) *Error {
	return &Error{Code: DeadlineExceeded, Message: messageTimeout, Ran: ran, cause: cause}
}

// edge turns what a handler returned into what its caller is told.
func edge(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return timeout(err, RanYes)
	}
	return &Error{Code: Internal, Message: messageInternal, Ran: RanYes, cause: err}
}
