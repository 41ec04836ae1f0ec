package registergateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/restapi"
	"matriq/pkg/proof"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/rpc"
)

const (
	proofKey = "k1:q0Zb4Vt0m1mYkR6b3c2oXk0i3J9y8QeTz7wUuPpLsDg="
	otherKey = "Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldCEhMTI="
)

// proofOf is a proof of a@x.th, listed as A@x.th.
func proofOf(t *testing.T, key string, left time.Duration) string {
	t.Helper()
	keys, err := proof.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Make("a@x.th", "A@x.th", time.Now().Add(left))
}

func withProof(t *testing.T, email, proof string) *http.Request {
	t.Helper()
	body, err := json.Marshal(restapi.RegisterRequest{Firstname: "มานะ", Lastname: "Jaidee", Email: email, Proof: proof})
	if err != nil {
		t.Fatal(err)
	}
	return request(t, http.MethodPost, "/register", string(body))
}

// With a proof that counts, one call is made: for the mailbox as it is listed,
// however the address was typed. Nothing of the proof goes on.
func TestRegister_ByProof(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ settings, madeBy string }{
		"the key":                     {proofKey, proofKey},
		"the one that is coming":      {proofKey + ",k2:" + otherKey, "k2:" + otherKey},
		"the one before, for a while": {"k2:" + otherKey + "," + proofKey, proofKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := proofOf(t, tc.madeBy, time.Minute)
			for _, typed := range []string{"a@x.th", " A@X.TH ", "a@x．th"} {
				d := newDeskWith(t, tc.settings, resttest.Answers{"student.insert": resttest.Fixed(69000001)})
				resttest.WantBody(t, d.answer(withProof(t, typed, text)), `{"results":"registered","studentID":69000001}`)
				if got := d.bus.Targets(); got != "student.insert" {
					t.Fatalf("%q sent %s, want student.insert alone", typed, got)
				}
				if got := string(d.bus.Sent()[0].Body); got != `{"args":["มานะ","Jaidee","A@x.th"],"kwargs":{}}` {
					t.Errorf("student.insert got %s", got)
				}
				if strings.Contains(d.log.String(), text) {
					t.Errorf("the proof is in the log: %s", d.log)
				}
			}
		})
	}
}

// With any other proof otp is asked, as without one: what it says is what counts.
func TestRegister_ProofThatDoesNotCount(t *testing.T) {
	t.Parallel()
	good := proofOf(t, proofKey, time.Minute)
	last := good[len(good)-2:]
	for name, tc := range map[string]struct{ key, email, proof string }{
		"none":            {proofKey, "a@x.th", ""},
		"no key":          {"", "a@x.th", good},
		"expired":         {proofKey, "a@x.th", proofOf(t, proofKey, 0)},
		"altered":         {proofKey, "a@x.th", strings.TrimSuffix(good, last) + map[bool]string{true: "AA", false: "BA"}[last != "AA"]},
		"unknown kid":     {proofKey, "a@x.th", proofOf(t, "k2:"+otherKey, time.Minute)},
		"another key":     {proofKey, "a@x.th", proofOf(t, "k1:"+otherKey, time.Minute)},
		"another address": {proofKey, "b@x.th", good},
		"nonsense":        {proofKey, "a@x.th", "\u0000.%%\r\n"},
		"much too long":   {proofKey, "a@x.th", strings.Repeat("k", 3000)},
		"no address":      {proofKey, "nobody", good},
	} {
		for verdict, c := range map[string]struct {
			status func([]json.RawMessage) (any, error)
			sent   string
			code   int
			reason string
		}{
			"otp agrees":  {resttest.Fixed(otpapi.StatusReply{Verified: true, Email: "As.Listed@x.th"}), "otp.status student.insert", 200, ""},
			"otp refuses": {resttest.Fixed(otpapi.StatusReply{}), "otp.status", 403, "not_verified"},
			"otp is gone": {resttest.Failing(rpc.Errorf(rpc.Unavailable, "redis")), "otp.status", 503, "unavailable"},
		} {
			t.Run(name+", "+verdict, func(t *testing.T) {
				t.Parallel()
				d := newDeskWith(t, tc.key, resttest.Answers{"otp.status": c.status, "student.insert": resttest.Fixed(69000001)})
				w := d.answer(withProof(t, tc.email, tc.proof))
				if got := d.bus.Targets(); got != c.sent {
					t.Errorf("sent %s, want %s", got, c.sent)
				}
				if c.code != http.StatusOK {
					resttest.WantProblem(t, w, c.code, c.reason)
					return
				}
				resttest.WantBody(t, w, `{"results":"registered","studentID":69000001}`)
				if got := string(d.bus.Sent()[1].Body); got != `{"args":["มานะ","Jaidee","As.Listed@x.th"],"kwargs":{}}` {
					t.Errorf("student.insert got %s", got)
				}
			})
		}
	}
}

// A repeat under its key is the same request to student with another proof, with
// one that has expired, and with none.
func TestRegister_SameRequestWithAnyProof(t *testing.T) {
	t.Parallel()
	d := newDeskWith(t, proofKey, resttest.Answers{
		"otp.status":     resttest.Fixed(otpapi.StatusReply{Verified: true, Email: "A@x.th"}),
		"student.insert": resttest.Fixed(69000001),
	})
	bodies := map[string]bool{}
	for _, text := range []string{
		proofOf(t, proofKey, time.Minute), proofOf(t, proofKey, time.Hour),
		proofOf(t, proofKey, 0), "",
	} {
		r := withProof(t, "a@x.th", text)
		r.Header.Set("Idempotency-Key", "order-66")
		resttest.WantBody(t, d.answer(r), `{"results":"registered","studentID":69000001}`)
		insert := d.bus.Sent()[len(d.bus.Sent())-1]
		bodies[insert.Target+" "+insert.Key+" "+string(insert.Body)] = true
	}
	if len(bodies) != 1 {
		t.Errorf("student got %v, want one and the same", bodies)
	}
}
