package otpgateway_test

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

const jsonType = "application/json"

var code = otpapi.SealedCode{Sealed: "v1.k1.c2VhbGVk", Ref: "KTM", ExpiresIn: 600, ResendAfter: 60}

func TestGetOTP(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{
		"otp.create": resttest.Fixed(otpapi.CreateReply{Eligible: true, Code: code}), "email_otp.send": resttest.Fixed(nil),
	})
	before := time.Now()
	w := d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
	resttest.WantBody(t, w, `{"results":"1","ref":"KTM","expires_in":600,"resend_after":60}`)
	if got := d.bus.Targets(); got != "otp.create email_otp.send" {
		t.Fatalf("sent %s", got)
	}
	cast := d.bus.Sent()[1]
	want := `{"args":[{"sealed":"v1.k1.c2VhbGVk","ref":"KTM","expires_in":600,"resend_after":60},"a@x.th"],"kwargs":{}}`
	if string(cast.Body) != want {
		t.Errorf("cast = %s, want %s", cast.Body, want)
	}
	if life := cast.Deadline.Sub(before); life < 600*time.Second || life > 610*time.Second {
		t.Errorf("the order for the mail lives %v, want 10m", life)
	}
	if cast.Meta.RequestID != w.Header().Get("X-Request-Id") || cast.Meta.ClientIP != "192.0.2.1" {
		t.Errorf("meta = %+v", cast.Meta)
	}
}

// With disclosure alone otp says 0, and nothing is mailed.
func TestGetOTP_NotEligible(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{"otp.create": resttest.Fixed(0)})
	resttest.WantBody(t, d.post(t, "/getotp/", jsonType, `{"email":"a@x.th"}`), `{"results":"0"}`)
	if got := d.bus.Targets(); got != "otp.create" {
		t.Errorf("sent %s, want otp.create alone", got)
	}
}

func TestGetOTP_NeverTellsTheEnvelope(t *testing.T) {
	t.Parallel()
	gone := rpc.Errorf(rpc.Unavailable, "the broker is gone")
	for name, send := range (resttest.Answers{"mailed": resttest.Fixed(nil), "not mailed": resttest.Failing(gone)}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, resttest.Answers{
				"otp.create": resttest.Fixed(otpapi.CreateReply{Eligible: true, Code: code}), "email_otp.send": send,
			})
			w := d.post(t, "/getotp", jsonType, `{"email":"someone@x.th"}`)
			if strings.Contains(w.Body.String(), "c2VhbGVk") || strings.Contains(d.log.String(), "c2VhbGVk") {
				t.Errorf("the envelope leaked: %s %s", w.Body, d.log)
			}
			if strings.Contains(d.log.String(), "someone@x.th") {
				t.Errorf("the log has the address: %s", d.log)
			}
		})
	}
}

// A cast that may have been stored is sent again under the same key, so that
// one mail goes out.
func TestGetOTP_RepeatsTheCastUnderTheSameKey(t *testing.T) {
	t.Parallel()
	attempts := 0
	d := newDesk(t, resttest.Answers{
		"otp.create": resttest.Fixed(otpapi.CreateReply{Eligible: true, Code: code}),
		"email_otp.send": func([]json.RawMessage) (any, error) {
			if attempts++; attempts == 1 {
				return nil, rpc.Errorf(rpc.Unavailable, "the connection was lost")
			}
			return nil, nil
		},
	})
	resttest.WantBody(t, d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`), `{"results":"1","ref":"KTM","expires_in":600,"resend_after":60}`)
	if got := d.bus.Targets(); got != "otp.create email_otp.send email_otp.send" {
		t.Fatalf("sent %s", got)
	}
	if first, second := d.bus.Sent()[1].Key, d.bus.Sent()[2].Key; first == "" || first != second {
		t.Errorf("keys %q and %q, want the same", first, second)
	}
}

// Whoever repeats a request under its key reaches otp under it, and the code goes
// to the mail worker under the code's own name. Clients' keys never meet, and
// without one each request has a key of its own, by which a lost answer can be
// asked for again.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	named := code
	named.ID = "the-code"
	d := newDesk(t, resttest.Answers{
		"otp.create": resttest.Fixed(otpapi.CreateReply{Eligible: true, Code: named}), "email_otp.send": resttest.Fixed(nil),
		"otp.prove": resttest.Fixed(otpapi.ProveReply{Results: 1}),
	})
	for _, key := range []string{"k1", "k1", "", ""} {
		var header []string
		if key != "" {
			header = []string{"Idempotency-Key", key}
		}
		d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`, header...)
		d.post(t, "/authen", jsonType, `{"email":"a@x.th","otp":"012345"}`, header...)
	}
	keys := map[string][]string{}
	for _, m := range d.bus.Sent() {
		keys[m.Target] = append(keys[m.Target], m.Key)
		if want := m.Kind == rpc.KindCall; m.Idempotent != want {
			t.Errorf("%s may be repeated: %v, want %v", m.Target, m.Idempotent, want)
		}
	}
	for _, target := range []string{"otp.create", "otp.prove"} {
		k := keys[target]
		if len(k) != 4 || k[0] != k[1] || !strings.HasSuffix(k[0], "/k1") || k[2] == "" || k[2] == k[3] {
			t.Errorf("%s was called under %q", target, k)
		}
	}
	for _, k := range keys["email_otp.send"] {
		if k != "the-code" {
			t.Errorf("the code is mailed under %q", k)
		}
	}
	for path, body := range map[string]string{"/getotp": `{"email":"a@x.th"}`, "/authen": `{"email":"a@x.th","otp":"012345"}`} {
		w := d.post(t, path, jsonType, body, "Idempotency-Key", "no spaces")
		resttest.WantProblem(t, w, http.StatusBadRequest, "bad_idempotency_key")
	}
}

// Every code has a mail of its own.
func TestGetOTP_KeysDiffer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{
		"otp.create": resttest.Fixed(otpapi.CreateReply{Eligible: true, Code: code}), "email_otp.send": resttest.Fixed(nil),
	})
	d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
	d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
	if d.bus.Sent()[1].Key == d.bus.Sent()[3].Key {
		t.Error("two codes were mailed under one key")
	}
}

// Whoever cannot be mailed is told when to ask again: not before otp allows it.
// The code is not withdrawn, since its mail may be under way after all.
func TestGetOTP_NotMailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, resttest.Answers{
		"otp.create":     resttest.Fixed(otpapi.CreateReply{Eligible: true, Code: code}),
		"email_otp.send": resttest.Failing(errors.New("connection reset")),
	})
	w := d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
	resttest.WantProblem(t, w, http.StatusServiceUnavailable, "unavailable")
	if got := w.Header().Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After = %q, want 60", got)
	}
	if got := d.bus.Targets(); got != "otp.create email_otp.send email_otp.send" {
		t.Errorf("sent %s", got)
	}
	if got := strings.Count(d.log.String(), "connection reset"); got == 0 {
		t.Error("the cause is not in the log")
	}
}

func TestGetOTP_Failures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		status int
		reason string
		retry  string
	}{
		"no address":  {rpc.Errorf(rpc.InvalidArgument, "malformed").Because("bad_email"), 422, "bad_email", ""},
		"too soon":    {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("resend_too_soon").After(42 * time.Second), 429, "resend_too_soon", "42"},
		"locked":      {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("address_locked").After(time.Hour), 429, "address_locked", "3600"},
		"store down":  {rpc.Errorf(rpc.Unavailable, "redis"), 503, "unavailable", "2"},
		"out of time": {&rpc.Error{Code: rpc.DeadlineExceeded, Ran: rpc.RanMaybe}, 503, "unavailable", "2"},
		"our fault":   {errors.New("oops"), 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, resttest.Answers{"otp.create": resttest.Failing(tc.err)})
			w := d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
			resttest.WantProblem(t, w, tc.status, tc.reason)
			if got := w.Header().Get("Retry-After"); got != tc.retry {
				t.Errorf("Retry-After = %q, want %q", got, tc.retry)
			}
			if got := d.bus.Targets(); got != "otp.create" {
				t.Errorf("sent %s, want otp.create alone", got)
			}
		})
	}
}

func TestAuthen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer map[string]func([]json.RawMessage) (any, error)
		want   string
		sent   string
	}{
		"right": {
			resttest.Answers{"otp.prove": resttest.Fixed(otpapi.ProveReply{Results: 1, Proof: "k1.cHJvb2Y"})},
			`{"results":1,"proof":"k1.cHJvb2Y"}`, "otp.prove",
		},
		"right, and no proofs are made": {
			resttest.Answers{"otp.prove": resttest.Fixed(otpapi.ProveReply{Results: 1})},
			`{"results":1}`, "otp.prove",
		},
		"wrong": {
			resttest.Answers{"otp.prove": resttest.Fixed(otpapi.ProveReply{}), "otp.status": resttest.Fixed(otpapi.StatusReply{AttemptsLeft: 3})},
			`{"results":0,"attempts_left":3}`, "otp.prove otp.status",
		},
		"the last guess": {
			resttest.Answers{"otp.prove": resttest.Fixed(otpapi.ProveReply{}), "otp.status": resttest.Fixed(otpapi.StatusReply{})},
			`{"results":0,"attempts_left":0}`, "otp.prove otp.status",
		},
		"wrong, the rest unknown": {
			resttest.Answers{"otp.prove": resttest.Fixed(otpapi.ProveReply{}), "otp.status": resttest.Failing(rpc.Errorf(rpc.Unavailable, "redis"))},
			`{"results":0}`, "otp.prove otp.status",
		},
		"a number of tomorrow is no success": {
			resttest.Answers{"otp.prove": resttest.Fixed(otpapi.ProveReply{Results: 2, Proof: "k1.cHJvb2Y"}), "otp.status": resttest.Fixed(otpapi.StatusReply{AttemptsLeft: 1})},
			`{"results":0,"attempts_left":1}`, "otp.prove otp.status",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, tc.answer)
			resttest.WantBody(t, d.post(t, "/authen", jsonType, `{"email":"a@x.th","otp":"012345"}`), tc.want)
			if got := d.bus.Targets(); got != tc.sent {
				t.Errorf("sent %s, want %s", got, tc.sent)
			}
			if body := string(d.bus.Sent()[0].Body); body != `{"args":["a@x.th","012345"],"kwargs":{}}` {
				t.Errorf("otp.prove got %s", body)
			}
			if strings.Contains(d.log.String(), "012345") {
				t.Errorf("the log has the code: %s", d.log)
			}
		})
	}
}

func TestAuthen_Failures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		status int
		reason string
	}{
		"no code":    {rpc.Errorf(rpc.InvalidArgument, "malformed").Because("bad_otp"), 422, "bad_otp"},
		"locked":     {rpc.Errorf(rpc.ResourceExhausted, "wait").Because("address_locked"), 429, "address_locked"},
		"store down": {rpc.Errorf(rpc.Unavailable, "redis"), 503, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, resttest.Answers{"otp.prove": resttest.Failing(tc.err)})
			resttest.WantProblem(t, d.post(t, "/authen", jsonType, `{"email":"a@x.th","otp":"012345"}`), tc.status, tc.reason)
		})
	}
}
