package otp

import (
	"errors"
	"fmt"
	"time"

	"matriq/pkg/rpc"
)

// ErrNotEligible means that an address is not listed or is registered; only with
// disclosure is that ever said.
var ErrNotEligible = errors.New("not eligible")

// RefusalError means that a limit forbids a further code, or a further guess,
// for the time being.
type RefusalError struct {
	// Reason is resend_too_soon, address_limit, address_locked or source_limit.
	Reason string
	// Wait is how long the limit holds.
	Wait time.Duration
}

// Error implements error.
func (e *RefusalError) Error() string {
	return fmt.Sprintf("%s for %s", e.Reason, e.Wait)
}

func (e *RefusalError) rpcError() *rpc.Error {
	message := "too many requests"
	switch e.Reason {
	case "resend_too_soon":
		message = "a code was sent a moment ago"
	case "address_limit":
		message = "too many codes were asked for with this address"
	case "address_locked":
		message = "too many wrong codes were given for this address"
	case "source_limit":
		message = "too many requests came from this network"
	}
	return rpc.Errorf(rpc.ResourceExhausted, "%s", message).Because(e.Reason).After(e.Wait)
}
