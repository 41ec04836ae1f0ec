package rpc

import "net/http"

// Code classifies a failure for the caller who must act on it. The names and
// meanings are gRPC's; the set is closed.
type Code string

const (
	// InvalidArgument means the request can never succeed as it stands.
	InvalidArgument Code = "invalid_argument"
	// NotFound means the named thing does not exist.
	NotFound Code = "not_found"
	// AlreadyExists means the thing to be created is there, with other content.
	AlreadyExists Code = "already_exists"
	// Aborted means another request for the same thing is in flight.
	Aborted Code = "aborted"
	// FailedPrecondition means the request would be right in another state.
	FailedPrecondition Code = "failed_precondition"
	// PermissionDenied means the caller is known and may not do this.
	PermissionDenied Code = "permission_denied"
	// Unauthenticated means the caller did not prove who it is.
	Unauthenticated Code = "unauthenticated"
	// ResourceExhausted means a limit was reached; [Error.RetryAfter] says how
	// long it holds.
	ResourceExhausted Code = "resource_exhausted"
	// DeadlineExceeded means the time ran out before the outcome was known.
	DeadlineExceeded Code = "deadline_exceeded"
	// Unavailable means the service or the broker could not be reached. It is
	// the only code after which the same call may be made again.
	Unavailable Code = "unavailable"
	// Internal means a fault on the owner's side. Its cause is logged there and
	// never sent.
	Internal Code = "internal"
)

// HTTPStatus returns the status with which a gateway answers c. A code outside
// the set is an internal error.
func (c Code) HTTPStatus() int {
	switch c {
	case InvalidArgument:
		return http.StatusUnprocessableEntity
	case NotFound:
		return http.StatusNotFound
	case AlreadyExists, Aborted, FailedPrecondition:
		return http.StatusConflict
	case PermissionDenied:
		return http.StatusForbidden
	case Unauthenticated:
		return http.StatusUnauthorized
	case ResourceExhausted:
		return http.StatusTooManyRequests
	case DeadlineExceeded, Unavailable:
		return http.StatusServiceUnavailable
	case Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// known tells whether c is in the set.
func (c Code) known() bool {
	switch c {
	case InvalidArgument, NotFound, AlreadyExists, Aborted, FailedPrecondition, PermissionDenied,
		Unauthenticated, ResourceExhausted, DeadlineExceeded, Unavailable, Internal:
		return true
	}
	return false
}
