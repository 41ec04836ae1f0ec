package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"matriq/pkg/rpc"
)

func TestErrorf_keepsTheCauseToItself(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.1: refused")
	for name, c := range map[string]struct {
		err     *rpc.Error
		message string
	}{
		"at the end":    {rpc.Errorf(rpc.Unavailable, "the store is down: %w", secret), "the store is down"},
		"in the middle": {rpc.Errorf(rpc.Unavailable, "the store (%w) is down", secret), "the store () is down"},
		"two":           {rpc.Errorf(rpc.Unavailable, "the store is down: %w: %w", secret, io.EOF), "the store is down"},
		"alone":         {rpc.Errorf(rpc.Unavailable, "%w", secret), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.err.Message != c.message {
				t.Errorf("message %q, want %q", c.err.Message, c.message)
			}
			if !errors.Is(c.err, secret) {
				t.Error("the cause is lost")
			}
		})
	}
	if e := rpc.Errorf(rpc.NotFound, "no student %d", 7); e.Message != "no student 7" || errors.Unwrap(e) != nil {
		t.Errorf("%+v", e)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for want, err := range map[rpc.Code]error{
		"":                   nil,
		rpc.NotFound:         fmt.Errorf("look up: %w", rpc.Errorf(rpc.NotFound, "gone").Because("no_such_student")),
		rpc.DeadlineExceeded: fmt.Errorf("look up: %w", context.DeadlineExceeded),
		rpc.Internal:         io.EOF,
	} {
		if got := rpc.CodeOf(err); got != want {
			t.Errorf("CodeOf(%v) = %s, want %s", err, got, want)
		}
	}
	if got := rpc.ReasonOf(rpc.Errorf(rpc.NotFound, "gone").Because("no_such_student")); got != "no_such_student" {
		t.Errorf("reason %q", got)
	}
}

func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[rpc.Code]int{
		rpc.InvalidArgument: http.StatusUnprocessableEntity, rpc.NotFound: http.StatusNotFound,
		rpc.AlreadyExists: http.StatusConflict, rpc.Aborted: http.StatusConflict, rpc.FailedPrecondition: http.StatusConflict,
		rpc.PermissionDenied: http.StatusForbidden, rpc.Unauthenticated: http.StatusUnauthorized,
		rpc.ResourceExhausted: http.StatusTooManyRequests, rpc.DeadlineExceeded: http.StatusServiceUnavailable,
		rpc.Unavailable: http.StatusServiceUnavailable, rpc.Internal: http.StatusInternalServerError, "made_up": http.StatusInternalServerError,
	} {
		if got := code.HTTPStatus(); got != want {
			t.Errorf("%s = %d, want %d", code, got, want)
		}
	}
}
