package registergateway_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/rpc"
)

var verified = resttest.Fixed(otpapi.StatusReply{Verified: true})

func TestRegister(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/register", "/register/"} {
		d := newDesk(t, resttest.Answers{"otp.status": verified, "student.insert": resttest.Fixed(69000001)})
		w := d.answer(request(t, http.MethodPost, path, goodBody))
		resttest.WantBody(t, w, `{"results":"registered","studentID":69000001}`)
		if got := d.bus.Targets(); got != "otp.status student.insert" {
			t.Fatalf("sent %s", got)
		}
		if got := string(d.bus.Sent()[0].Body); got != `{"args":["a@x.th"],"kwargs":{}}` {
			t.Errorf("otp.status got %s", got)
		}
		if got := string(d.bus.Sent()[1].Body); got != `{"args":["มานะ","Jaidee","a@x.th"],"kwargs":{}}` {
			t.Errorf("student.insert got %s", got)
		}
		if d.bus.Sent()[1].Key != "" {
			t.Errorf("key = %q without an Idempotency-Key", d.bus.Sent()[1].Key)
		}
		if d.bus.Sent()[1].Meta.RequestID != w.Header().Get("X-Request-Id") {
			t.Errorf("meta = %+v", d.bus.Sent()[1].Meta)
		}
	}
}

// The registration is of the address as it is listed, however it was typed.
func TestRegister_AsListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{
		"otp.status":     resttest.Fixed(otpapi.StatusReply{Verified: true, Email: "A@x.th"}),
		"student.insert": resttest.Fixed(69000001),
	})
	resttest.WantBody(t, d.answer(request(t, http.MethodPost, "/register", goodBody)), `{"results":"registered","studentID":69000001}`)
	if got := string(d.bus.Sent()[1].Body); got != `{"args":["มานะ","Jaidee","A@x.th"],"kwargs":{}}` {
		t.Errorf("student.insert got %s", got)
	}
}

// Nobody registers with an address that has not just proved itself, and not
// knowing is not a proof.
func TestRegister_OnlyVerifiedAddresses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status func([]json.RawMessage) (any, error)
		code   int
		reason string
	}{
		"not verified": {resttest.Fixed(otpapi.StatusReply{AttemptsLeft: 5}), 403, "not_verified"},
		"no answer":    {resttest.Fixed(struct{}{}), 403, "not_verified"},
		"otp is gone":  {resttest.Failing(rpc.Errorf(rpc.Unavailable, "redis")), 503, "unavailable"},
		"otp is slow":  {resttest.Failing(&rpc.Error{Code: rpc.DeadlineExceeded}), 503, "unavailable"},
		"no address":   {resttest.Failing(rpc.Errorf(rpc.InvalidArgument, "malformed").Because("bad_email")), 422, "bad_email"},
		"a fault":      {resttest.Failing(errors.New("oops")), 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, resttest.Answers{"otp.status": tc.status})
			r := request(t, http.MethodPost, "/register", goodBody)
			r.Header.Set("Idempotency-Key", "k1")
			resttest.WantProblem(t, d.answer(r), tc.code, tc.reason)
			if got := d.bus.Targets(); got != "otp.status" {
				t.Errorf("sent %s, want otp.status alone", got)
			}
		})
	}
}

func TestRegister_Failures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		status int
		reason string
		retry  string
	}{
		"first name": {rpc.Errorf(rpc.InvalidArgument, "empty").Because("bad_firstname"), 422, "bad_firstname", ""},
		"last name":  {rpc.Errorf(rpc.InvalidArgument, "empty").Because("bad_lastname"), 422, "bad_lastname", ""},
		"key reused": {rpc.Errorf(rpc.InvalidArgument, "other body").Because("idempotency_key_reused"), 422, "idempotency_key_reused", ""},
		"in flight":  {rpc.Errorf(rpc.Aborted, "wait").Because("idempotency_key_in_flight"), 409, "idempotency_key_in_flight", "2"},
		"in flight, for a while": {
			rpc.Errorf(rpc.Aborted, "wait").Because("idempotency_key_in_flight").After(4500 * time.Millisecond), 409, "idempotency_key_in_flight", "5",
		},
		"store down": {rpc.Errorf(rpc.Unavailable, "maria"), 503, "unavailable", "2"},
		"our fault":  {errors.New("oops"), 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, resttest.Answers{"otp.status": verified, "student.insert": resttest.Failing(tc.err)})
			w := d.answer(request(t, http.MethodPost, "/register", goodBody))
			resttest.WantProblem(t, w, tc.status, tc.reason)
			if got := w.Header().Get("Retry-After"); got != tc.retry {
				t.Errorf("Retry-After = %q, want %q", got, tc.retry)
			}
		})
	}
}

// The key reaches student under the client's name and nobody else: otp must not
// take a call for a repeat of another.
func TestRegister_IdempotencyKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{"otp.status": verified, "student.insert": resttest.Fixed(69000001)})
	for client, password := range map[string]string{"ui": "correct horse battery", "school": "another long password"} {
		r := request(t, http.MethodPost, "/register", goodBody)
		r.SetBasicAuth(client, password)
		r.Header.Set("Idempotency-Key", "order-66")
		resttest.WantBody(t, d.answer(r), `{"results":"registered","studentID":69000001}`)
		sent := d.bus.Sent()[len(d.bus.Sent())-2:]
		if sent[0].Key != "" || sent[1].Key != client+"/order-66" {
			t.Errorf("keys = %q and %q, want none and %s/order-66", sent[0].Key, sent[1].Key, client)
		}
	}
}

func TestRegister_RefusesIdempotencyKeys(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{
		"empty": {""}, "two": {"a", "b"}, "spaces": {"a b"}, "Thai": {"ก"}, "too long": {strings.Repeat("k", 129)}, "controls": {"a\tb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			r := request(t, http.MethodPost, "/register", goodBody)
			r.Header["Idempotency-Key"] = keys
			resttest.WantProblem(t, d.answer(r), http.StatusBadRequest, "bad_idempotency_key")
			if got := d.bus.Targets(); got != "" {
				t.Errorf("sent %s, want nothing", got)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ status, want string }{
		"begun": {
			`{"studentID":69000001,"registered":"2026-05-01T06:00:00Z","enrolled":null,"emailed":null}`,
			`{"studentID":69000001,"registered":"2026-05-01T06:00:00Z","enrolled":null,"emailed":null}`,
		},
		"done": {
			`{"studentID":69000001,"registered":"2026-05-01T06:00:00Z","enrolled":"2026-05-01T06:00:01Z","emailed":"2026-05-01T06:00:02Z"}`,
			`{"studentID":69000001,"registered":"2026-05-01T06:00:00Z","enrolled":"2026-05-01T06:00:01Z","emailed":"2026-05-01T06:00:02Z"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/register/69000001", "/register/69000001/"} {
				d := newDesk(t, resttest.Answers{"student.status": resttest.Fixed(json.RawMessage(tc.status))})
				resttest.WantBody(t, d.answer(request(t, http.MethodGet, path, "")), tc.want)
				if got := string(d.bus.Sent()[0].Body); got != `{"args":[69000001],"kwargs":{}}` {
					t.Errorf("student.status got %s", got)
				}
			}
		})
	}
}

func TestProgress_NoSuchStudent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{"student.status": resttest.Failing(rpc.Errorf(rpc.NotFound, "nobody").Because("no_such_student"))})
	resttest.WantProblem(t, d.answer(request(t, http.MethodGet, "/register/1", "")), http.StatusNotFound, "no_such_student")
	for _, id := range []string{"me", "1.5", "0x1", "99999999999999999999", "1%20OR%201", "%00", "-", "1;2"} {
		d := newDesk(t, nil)
		resttest.WantProblem(t, d.answer(request(t, http.MethodGet, "/register/"+id, "")), http.StatusNotFound, "no_such_student")
		if got := d.bus.Targets(); got != "" {
			t.Errorf("%s sent %s, want nothing", id, got)
		}
	}
}
