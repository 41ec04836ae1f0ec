package rest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/pkg/rest"
	"matriq/pkg/rpc"
)

func TestFailuresOfCalls(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		status int
		reason string
		retry  int // header, 0 for none
		log    string
	}{
		"bad argument":              {rpc.Errorf(rpc.InvalidArgument, "no address").Because("bad_email"), 422, "bad_email", 0, ""},
		"one of tomorrow":           {rpc.Errorf(rpc.InvalidArgument, "no name").Because("bad_nickname"), 422, "bad_nickname", 0, ""},
		"without a reason":          {rpc.Errorf(rpc.FailedPrecondition, "not now"), 409, "failed_precondition", 2, ""},
		"wrapped":                   {fmt.Errorf("insert: %w", rpc.Errorf(rpc.NotFound, "nobody").Because("no_such_student")), 404, "no_such_student", 0, ""},
		"too soon":                  {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("resend_too_soon").After(59100 * time.Millisecond), 429, "resend_too_soon", 60, ""},
		"too soon by a blink":       {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("resend_too_soon").After(time.Millisecond), 429, "resend_too_soon", 1, ""},
		"too often, for how long?":  {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("source_limit"), 429, "source_limit", 2, ""},
		"in flight":                 {rpc.Errorf(rpc.Aborted, "wait").Because("idempotency_key_in_flight").After(time.Second), 409, "idempotency_key_in_flight", 1, ""},
		"unavailable":               {rpc.Errorf(rpc.Unavailable, "broker 10.1.2.3 is gone"), 503, "unavailable", 2, "request could not be served"},
		"unavailable for a while":   {rpc.Errorf(rpc.Unavailable, "store is gone").Because("store").After(7 * time.Second), 503, "unavailable", 7, "request could not be served"},
		"out of time":               {&rpc.Error{Code: rpc.DeadlineExceeded}, 503, "unavailable", 2, "request could not be served"},
		"out of time by context":    {context.DeadlineExceeded, 503, "unavailable", 2, "request could not be served"},
		"uncoded":                   {errors.New("secret cause"), 500, "internal", 0, "request failed"},
		"internal of our own":       {&rpc.Error{Code: rpc.Internal, Message: "secret cause"}, 500, "internal", 0, "request failed"},
		"internal of a worker":      {&rpc.Error{Code: rpc.Internal, Message: "secret cause", Remote: true}, 500, "internal", 0, ""},
		"contract mismatch":         {&rpc.Error{Code: rpc.InvalidArgument, Message: "secret cause", Reason: "incorrect_signature", Remote: true}, 500, "internal", 0, "request failed"},
		"a method that is not":      {&rpc.Error{Code: rpc.NotFound, Message: "secret cause", Reason: "method_not_found", Remote: true}, 500, "internal", 0, "request failed"},
		"a code of tomorrow":        {&rpc.Error{Code: "teapot", Message: "short and stout"}, 500, "teapot", 0, "request failed"},
		"a problem of this package": {rest.Refuse(rest.NotVerified, "Prove it."), 403, "not_verified", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.respond = func(*http.Request, echo) (echo, error) { return echo{}, tc.err }
			w := b.answer(request(t, http.MethodPost, "/echo", goodBody))
			p := wantProblem(t, w, tc.status, tc.reason)
			want := ""
			if tc.retry > 0 {
				want = strconv.Itoa(tc.retry)
			}
			if got := w.Header().Get("Retry-After"); got != want || p.RetryAfter != tc.retry {
				t.Errorf("Retry-After = %q, retry_after = %d, want %q", got, p.RetryAfter, want)
			}
			if body := w.Body.String(); strings.Contains(body, "secret") || strings.Contains(body, "10.1.2.3") {
				t.Errorf("the answer tells the cause: %s", body)
			}
			for _, msg := range []string{"request could not be served", "request failed"} {
				if got, want := b.logged(msg), strings.Count(tc.log, msg); got != want {
					t.Errorf("%q was logged %d times, want %d", msg, got, want)
				}
			}
		})
	}
}

// A failure is found in the log by the request ID that the client was told.
func TestFailureIsLoggedUnderTheRequestID(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.respond = func(*http.Request, echo) (echo, error) { return echo{}, errors.New("disk on fire") }
	p := wantProblem(t, b.answer(request(t, http.MethodPost, "/echo", goodBody)), http.StatusInternalServerError, "internal")
	for line := range strings.Lines(b.log.String()) {
		if strings.Contains(line, "request failed") && (!strings.Contains(line, "disk on fire") || !strings.Contains(line, p.RequestID)) {
			t.Errorf("log line lacks the cause or %s: %s", p.RequestID, line)
		}
	}
	if b.logged("request failed") != 1 {
		t.Errorf("logged %d times, want once", b.logged("request failed"))
	}
}

func TestPanicIsAnInternalProblem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.respond = func(*http.Request, echo) (echo, error) { panic("boom") }
	wantProblem(t, b.answer(request(t, http.MethodPost, "/echo", goodBody)), http.StatusInternalServerError, "internal")
	if b.logged("panic in a handler") != 1 || b.logged("request failed") != 0 {
		t.Errorf("the panic is not logged once: %s", b.log)
	}
}

// A client that has gone is nobody's failure.
func TestClientThatHasGoneIsNotLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, leave := context.WithCancel(t.Context())
	b.respond = func(*http.Request, echo) (echo, error) {
		leave()
		return echo{}, rpc.Errorf(rpc.Unavailable, "%w", context.Canceled)
	}
	b.answer(request(t, http.MethodPost, "/echo", goodBody).WithContext(ctx))
	if b.logged("request could not be served") != 0 {
		t.Errorf("logged: %s", b.log)
	}
}
