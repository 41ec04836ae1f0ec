package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"matriq/pkg/api/restapi"
)

// errUnavailable marks a call whose outcome is not known, or that never came
// through. The person may try again.
var errUnavailable = errors.New("gateway unavailable")

// Reasons of the gateways' problems that the pages act on.
const (
	reasonBadEmail      = "bad_email"
	reasonBadOTP        = "bad_otp"
	reasonBadFirstname  = "bad_firstname"
	reasonBadLastname   = "bad_lastname"
	reasonResendTooSoon = "resend_too_soon"
	reasonAddressLimit  = "address_limit"
	reasonAddressLocked = "address_locked"
	reasonSourceLimit   = "source_limit"
	reasonNotVerified   = "not_verified"
)

// Reasons of the pages' own.
const (
	reasonNotEligible = "not_eligible" // with disclosure alone
	reasonWrongCode   = "wrong_code"
	reasonExpired     = "code_expired"
	reasonExhausted   = "code_exhausted"
)

// refusalError is a gateway's answer of 400 and more.
type refusalError struct {
	status     int
	reason     string
	retryAfter time.Duration
}

// newRefusal reads a problem; an answer that is none, as a proxy's error page,
// has no reason.
func newRefusal(res *http.Response, body []byte) *refusalError {
	r := &refusalError{status: res.StatusCode}
	var p restapi.Problem
	if json.Unmarshal(body, &p) == nil {
		if reason, ok := strings.CutPrefix(p.Type, restapi.ProblemTypePrefix); ok {
			r.reason = reason
		}
		r.retryAfter = time.Duration(p.RetryAfter) * time.Second
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.retryAfter = time.Duration(seconds) * time.Second
	}
	return r
}

// Error implements error. The problem's detail stays out: it may quote input.
func (r *refusalError) Error() string { return fmt.Sprintf("refused with %d (%s)", r.status, r.reason) }

// faultOf turns err into what a person can be told on page at. It is false for
// failures of which the person can only be told to try again.
func faultOf(err error, at step, now time.Time) (fault, bool) {
	r, ok := errors.AsType[*refusalError](err)
	if !ok {
		return fault{}, false
	}
	f := fault{At: at, Reason: r.reason, Field: fieldOf(r.reason)}
	switch r.reason {
	case reasonBadEmail, reasonBadOTP, reasonBadFirstname, reasonBadLastname, reasonNotVerified:
		return f, true
	case reasonResendTooSoon, reasonAddressLimit, reasonAddressLocked, reasonSourceLimit:
		f.Until = now.Add(retryAfterOf(r))
		return f, true
	}
	return fault{}, false
}

// fieldOf is the input that a reason is about.
func fieldOf(reason string) string {
	switch reason {
	case reasonBadEmail, reasonNotEligible:
		return fieldEmail
	case reasonBadOTP, reasonWrongCode, reasonExpired, reasonExhausted:
		return fieldCode
	case reasonBadFirstname:
		return fieldFirstname
	case reasonBadLastname:
		return fieldLastname
	}
	return ""
}

// retryAfterOf is how long to wait after err; a guess where nobody said.
func retryAfterOf(err error) time.Duration {
	if r, ok := errors.AsType[*refusalError](err); ok && r.retryAfter > 0 {
		return r.retryAfter
	}
	return defaultRetryAfter
}
