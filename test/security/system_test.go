package security_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// system is the seven programs on real servers. Limits are those that are
// shipped; the edge alone is trusted, so that each address of 127.0.0.0/8 that is
// not 127.0.0.1 counts as a source of its own.
type system struct {
	*harness.Suite
	redis   *redis.Client
	people  atomic.Int64
	sources atomic.Int64
}

// threeEach is how often the programs run that attackers speak to, and that
// decide.
func threeEach() map[string]int {
	return map[string]int{"ui": 3, "otp-gateway": 3, "register-gateway": 3, "otp": 3}
}

// startSystem starts a system. settings are put over the shipped ones; "" takes
// one away.
func startSystem(t *testing.T, settings map[string]string) *system {
	t.Helper()
	return startPlan(t, harness.Plan{Replicas: threeEach(), Each: 1, Settings: settings})
}

// startPlan is startSystem with other numbers of replicas.
func startPlan(t *testing.T, plan harness.Plan) *system {
	t.Helper()
	settings := map[string]string{"SOURCE_LIMIT": "", "SHOW_REPLICA": "", "TRUSTED_PROXIES": "127.0.0.1/32"}
	maps.Copy(settings, plan.Settings)
	plan.Settings = settings
	s := &system{Suite: plan.Start(t)}
	options, err := redis.ParseURL(s.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	s.redis = redis.NewClient(options)
	t.Cleanup(func() { _ = s.redis.Close() })
	return s
}

// address returns an address that nobody else in the test uses, and that is not
// on the list.
func (s *system) address() string {
	return fmt.Sprintf("person%05d@example.ac.th", s.people.Add(1))
}

// listed returns an eligible address that nobody else in the test uses.
func (s *system) listed(t *testing.T) string {
	t.Helper()
	email := s.address()
	s.Gateways().Import(t, email)
	return email
}

// source returns an address of this machine that no client has had.
func (s *system) source() string {
	n := s.sources.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 1+n/65536%254, n/256%256, n%256)
}

// client returns a REST client behind a source of its own.
func (s *system) client() client { return s.clientFrom(s.source()) }

func (s *system) clientFrom(source string) client {
	g := s.Gateways()
	g.HTTP = harness.ClientFrom(source)
	return client{g}
}

// person returns somebody at the pages, behind a source of her own.
func (s *system) person(t *testing.T, language string) *harness.Person {
	t.Helper()
	return harness.NewPerson(t, s.UI.URL, language).From(s.source())
}

// client is a REST client whose credential the gateways accept.
type client struct{ harness.Gateways }

// ask asks for a code, whatever comes of it.
func (c client) ask(t *testing.T, email string) harness.Answer {
	t.Helper()
	return c.PostJSON(t, c.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: email})
}

// mustAsk asks for a code and fails the test unless one is on its way.
func (c client) mustAsk(t *testing.T, email string) restapi.GetOTPReply {
	t.Helper()
	var reply restapi.GetOTPReply
	c.ask(t, email).Into(t, &reply)
	if reply.Results != "1" || reply.Ref == "" {
		t.Fatalf("getotp for %s: %+v", email, reply)
	}
	return reply
}

// try sends a guess, whatever comes of it.
func (c client) try(t *testing.T, email, code string) harness.Answer {
	t.Helper()
	return c.PostJSON(t, c.OTP+restapi.PathAuthen, restapi.AuthenRequest{Email: email, OTP: code})
}

// guess sends a guess, fails the test unless it is decided, and tells whether it
// was right.
func (c client) guess(t *testing.T, email, code string) (right bool) {
	t.Helper()
	var reply restapi.AuthenReply
	c.try(t, email, code).Into(t, &reply)
	return reply.Results == 1
}

// decide is try for a goroutine beside the test's: it fails unless the guess is
// decided.
func (c client) decide(ctx context.Context, email, code string) (reply restapi.AuthenReply, err error) {
	err = c.call(ctx, c.OTP+restapi.PathAuthen, restapi.AuthenRequest{Email: email, OTP: code}, &reply)
	return reply, err
}

// call is PostJSON for a goroutine beside the test's: it fails unless the answer
// is 200, which it decodes into reply.
func (c client) call(ctx context.Context, url string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.Name, c.Password)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(res.Body) // the status alone tells enough
		return fmt.Errorf("%s is answered with %s: %s", url, res.Status, said)
	}
	return json.NewDecoder(res.Body).Decode(reply)
}

// wrong returns a code that is not code.
func wrong(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

// codeFor asks for a code and returns it from the mail.
func (s *system) codeFor(t *testing.T, c client, email string) string {
	t.Helper()
	return s.Code(t, email, c.mustAsk(t, email).Ref)
}

// refused fails the test unless the answer is a 429 for that reason with a
// Retry-After of at most most, and returns how long to wait.
func refused(t *testing.T, a harness.Answer, reason string, most time.Duration) time.Duration {
	t.Helper()
	p := a.Problem(t)
	wait, err := time.ParseDuration(a.Header.Get("Retry-After") + "s")
	if a.Status != http.StatusTooManyRequests || p.Type != restapi.ProblemTypePrefix+reason ||
		err != nil || wait <= 0 || wait > most {
		t.Fatalf("answer %d %s, Retry-After %q; want 429 %s and at most %v", a.Status, p.Type, a.Header.Get("Retry-After"), reason, most)
	}
	return wait
}

// eventually waits until yes, and fails the test when it is not in time.
func eventually(t *testing.T, what string, within time.Duration, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := harness.Poll(ctx, yes); err != nil {
		t.Fatalf("after %v still not: %s", within, what)
	}
}
