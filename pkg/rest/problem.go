package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"matriq/pkg/admission"
	"matriq/pkg/api/restapi"
	"matriq/pkg/rpc"
)

// defaultRetry is the Retry-After of a failure that does not say how long it
// lasts.
const defaultRetry = 2 * time.Second

// Error is a failure as a client is told.
type Error struct {
	Status int
	Reason string
	// Detail is a sentence or two about this very failure. It may quote the
	// request, since only its sender reads it.
	Detail string
	// RetryAfter is set in answers 409, 429 and 503, and where it is known.
	RetryAfter time.Duration
	// Report is what was done before the failure.
	Report *restapi.ImportReply

	cause error
}

// Refuse returns the error of a reason in the list of this package.
func Refuse(reason, detail string, args ...any) *Error {
	k, ok := kindOf(reason)
	if !ok {
		panic("rest: the reason " + reason + " has no status")
	}
	return &Error{Status: k.status, Reason: reason, Detail: fmt.Sprintf(detail, args...)}
}

// Error implements error.
func (e *Error) Error() string { return e.Reason + ": " + e.Detail }

// Unwrap returns what caused e, if it is known.
func (e *Error) Unwrap() error { return e.cause }

// AsError returns err as a client is told: an [*Error] as it is, an
// [*rpc.Error] by its code and reason, anything else without its text.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
		e := Refuse(Unavailable, "The registration is very busy. Try again when Retry-After says.")
		e.RetryAfter, e.cause = refused.After, err
		return e
	}
	e := fromRPC(err)
	e.cause = err
	if passes(e.Status) && e.RetryAfter <= 0 {
		e.RetryAfter = defaultRetry
	}
	return e
}

// passes tells the statuses of failures that end by themselves.
func passes(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == http.StatusConflict
}

func fromRPC(err error) *Error {
	code := rpc.CodeOf(err)
	told, typed := errors.AsType[*rpc.Error](err)
	switch {
	case code == rpc.Unavailable || code == rpc.DeadlineExceeded:
		e := Refuse(Unavailable, "The registration is very busy or being mended. Try again in a moment.")
		if typed {
			e.RetryAfter = told.RetryAfter
		}
		return e
	case !typed || code == rpc.Internal || code == rpc.Unauthenticated || isOurFault(told.Reason):
		return Refuse(Internal, "The failure is recorded under the request ID.")
	}
	reason := told.Reason
	if reason == "" {
		reason = string(code)
	}
	return &Error{Status: code.HTTPStatus(), Reason: reason, Detail: told.Message, RetryAfter: told.RetryAfter}
}

// isOurFault tells the reasons by which a worker refuses what no client wrote:
// gateway and worker do not agree on the contract.
func isOurFault(reason string) bool {
	return reason == "malformed_request" || reason == "incorrect_signature" || reason == "method_not_found"
}

// problem returns the body for e.
func (e *Error) problem(requestID string) restapi.Problem {
	k, ok := kindOf(e.Reason)
	if !ok {
		k.title = http.StatusText(e.Status)
	}
	return restapi.Problem{
		Type:       restapi.ProblemTypePrefix + e.Reason,
		Title:      k.title,
		Status:     e.Status,
		Detail:     e.Detail,
		RequestID:  requestID,
		RetryAfter: wholeSeconds(e.RetryAfter),
		Report:     e.Report,
	}
}

// wholeSeconds rounds up: whoever waits that long has waited long enough.
func wholeSeconds(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return int(math.Ceil(d.Seconds()))
}

// fail answers with err. It is where errors stop: those that are the suite's
// own are logged here, once.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := AsError(err)
	a.logFailure(r, e, err)
	a.tell(w, r, e)
}

// tell writes e.
func (a *API) tell(w http.ResponseWriter, r *http.Request, e *Error) {
	problem := e.problem(rpc.MetaFrom(r.Context()).RequestID)
	body, err := json.Marshal(problem)
	if err != nil {
		panic(fmt.Sprintf("rest: encode a problem: %v", err))
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if problem.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(problem.RetryAfter))
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="matriq", charset="UTF-8"`)
	}
	w.WriteHeader(e.Status)
	w.Write(body) //nolint:errcheck,gosec // the client has gone: nobody is left to be told
}

func (a *API) logFailure(r *http.Request, e *Error, err error) {
	ctx := r.Context()
	told, typed := errors.AsType[*rpc.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return // the client has gone, and its calls with it
	case isTurnedAway(err):
		return // it is counted, and in a rush there are many
	case e.Status == http.StatusInternalServerError && typed && told.Remote && told.Code == rpc.Internal:
		return // its owner has logged the cause under the same request ID
	case e.Status == http.StatusInternalServerError:
		a.log.ErrorContext(ctx, "request failed", slog.Any("error", err))
	case e.Status == http.StatusServiceUnavailable:
		a.log.WarnContext(ctx, "request could not be served", slog.Any("error", err))
	}
}

func isTurnedAway(err error) bool {
	_, ok := errors.AsType[*admission.RefusedError](err)
	return ok
}

// asReadError explains why a body could not be read to its end.
func asReadError(err error, limit int64) *Error {
	var e *Error
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case tooLarge:
		e = tooLargeError(limit)
	case errors.Is(err, os.ErrDeadlineExceeded) || isNet && timeout.Timeout():
		e = Refuse(RequestTimeout, "The body stopped arriving.")
	default:
		e = Refuse(BodyIncomplete, "The body broke off.")
	}
	e.cause = err
	return e
}

func tooLargeError(limit int64) *Error {
	return Refuse(BodyTooLarge, "The body may have %d bytes at most.", limit)
}
