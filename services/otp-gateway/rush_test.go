package otpgateway_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rest/resttest"
)

// While too many are under way, who asks for a code is turned away before a worker
// is asked, and who proves an address is let through.
func TestTurnsAwayWhoBegins(t *testing.T) {
	t.Parallel()
	const guesses = 8 // more than a floor of 1 bears, even for a moment
	arrived, open := make(chan struct{}, guesses+1), make(chan struct{})
	d := newDesk(t, resttest.Answers{"otp.prove": func([]json.RawMessage) (any, error) {
		arrived <- struct{}{}
		<-open
		return otpapi.ProveReply{Results: 1}, nil
	}}, "ADMISSION_FLOOR=1")
	var under sync.WaitGroup
	prove := func() {
		under.Go(func() {
			resttest.WantBody(t, d.post(t, "/authen", jsonType, `{"email":"a@x.th","otp":"123456"}`), `{"results":1}`)
		})
		<-arrived
	}
	for range guesses {
		prove()
	}
	w := d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`)
	p := resttest.WantProblem(t, w, http.StatusServiceUnavailable, "unavailable")
	if p.RetryAfter < 2 || w.Header().Get("Retry-After") != strconv.Itoa(p.RetryAfter) {
		t.Errorf("Retry-After = %q, retry_after = %d", w.Header().Get("Retry-After"), p.RetryAfter)
	}
	if strings.Contains(d.bus.Targets(), "otp.create") {
		t.Error("a worker was asked for somebody who was turned away")
	}
	if strings.Contains(d.log.String(), "could not be served") {
		t.Error("who is turned away is logged, one by one")
	}
	prove()
	close(open)
	under.Wait()
}

// Without a gate everybody is let in.
func TestLetsEverybodyIn(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	arrived := make(chan struct{}, 50)
	d := newDesk(t, resttest.Answers{
		"otp.create": func([]json.RawMessage) (any, error) {
			arrived <- struct{}{}
			<-open
			return map[string]any{"sealed": "x", "ref": "KTM", "expires_in": 600, "resend_after": 60}, nil
		},
		"email_otp.send": resttest.Fixed(nil),
	}, "ADMISSION_FLOOR=1", "ADMISSION_TARGET=0s")
	var under sync.WaitGroup
	for range cap(arrived) {
		under.Go(func() {
			if w := d.post(t, "/getotp", jsonType, `{"email":"a@x.th"}`); w.Code != http.StatusOK {
				t.Errorf("answer = %d %s", w.Code, w.Body)
			}
		})
	}
	for range cap(arrived) {
		<-arrived
	}
	close(open)
	under.Wait()
}
