package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Ran tells what is known of the handler after a failed call.
type Ran string

const (
	// RanNo means the handler did not run and will not.
	RanNo Ran = "no"
	// RanMaybe means the request was on its way when the answer was lost.
	RanMaybe Ran = "maybe"
	// RanYes means the handler ran and answered with this error.
	RanYes Ran = "yes"
)

// Error is a failure that crosses a service's edge.
type Error struct {
	// Code is what the caller acts on.
	Code Code
	// Message is one sentence that a student may read. It never holds a secret,
	// an address or a cause.
	Message string
	// Reason is a stable snake_case word for this very failure, such as
	// "bad_email". The pages choose their text by it, and problem types are made
	// from it. Empty where the code says it all.
	Reason string
	// RetryAfter is how long the failure is sure to last; zero when unknown.
	RetryAfter time.Duration
	// Ran tells what is known of the handler.
	Ran Ran
	// Remote is true when the peer said so, false when the caller inferred it.
	Remote bool

	cause error
}

// Errorf returns an error with a code and a message for the caller. A %w verb
// keeps the cause for [errors.Is] and the log on this side of the wire; its
// text is left out of the message, as is a colon before it.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	causes := causesOf(err)
	return &Error{Code: code, Message: withoutCauses(err.Error(), causes), Ran: RanYes, cause: joined(causes)}
}

func causesOf(err error) []error {
	switch err := err.(type) { //nolint:errorlint // what fmt.Errorf just made, not its chain
	case interface{ Unwrap() error }:
		return []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	}
	return nil
}

func joined(causes []error) error {
	if len(causes) == 1 {
		return causes[0]
	}
	return errors.Join(causes...)
}

func withoutCauses(message string, causes []error) string {
	for _, cause := range causes {
		message = strings.Replace(message, cause.Error(), "", 1)
	}
	return strings.TrimRight(message, ": ")
}

// Because sets the reason and returns e.
func (e *Error) Because(reason string) *Error {
	e.Reason = reason
	return e
}

// After sets how long the failure lasts and returns e.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Error implements error. It is for the log: unlike Message it has the cause.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause on this side of the wire, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of err: "" for nil, the code of the [*Error] in its
// chain, [DeadlineExceeded] for an expired context, else [Internal].
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return DeadlineExceeded
	}
	return Internal
}

// ReasonOf returns the reason of the [*Error] in err's chain, or "".
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// ErrPermanent marks a failure of a cast or an event that no further attempt
// can mend: the message is parked at once. Wrap it with %w.
var ErrPermanent = errors.New("permanent failure")
