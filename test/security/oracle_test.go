package security_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

const (
	// mostApart is how far the medians of two kinds of addresses may be apart, in
	// seconds.
	mostApart = 0.005
	// falseAlarm is how often the whole test may fail by chance alone.
	falseAlarm = 0.001
	// round is how many addresses of each kind are asked about at a time: what the
	// machine does meanwhile falls on all kinds, and the first answer about an
	// address is a few seconds old when the second comes.
	round = 100
)

// kinds are the addresses that nobody may tell apart; those that are locked by
// wrong guesses, among themselves.
func kinds() []string {
	return []string{"listed", "unlisted", "registered", "locked listed", "locked unlisted", "locked registered"}
}

// class is the same for kinds that nobody may tell apart: a lock shows, what is
// behind it does not.
func class(kind string) string {
	if strings.HasPrefix(kind, "locked") {
		return "locked"
	}
	return "open"
}

// Threat: who asks for codes learns who is on the list, or has registered, by
// what the answers say or by how long they take. Promise: with disclosure off,
// whether mails go out or cannot, nothing tells them apart: status, body, headers,
// cookies and the page that follows are the same, and the times, those that
// answers take and those that they name, come from one distribution (Kolmogorov
// and Smirnov), the medians of the former within 5 ms.
//
// SECURITY_SAMPLES=2000 takes as many addresses of each kind; 100 else.
func TestOracle_NobodyLearnsWhoIsListed(t *testing.T) { //nolint:paralleltest // it measures
	s := startSystem(t, map[string]string{"SOURCE_LIMIT": "0", "SOURCE_GUESS_LIMIT": "0"})
	for _, down := range []bool{false, true} { //nolint:paralleltest // the same
		t.Run(fmt.Sprintf("mail server down %v", down), func(t *testing.T) {
			if down {
				for _, stage := range []mailsink.Stage{mailsink.StageHello, mailsink.StageMail} {
					t.Cleanup(s.Mail.Inject(mailsink.Fault{Stage: stage, Action: mailsink.Cut}))
				}
			}
			o := &oracle{s: s, answers: map[string]map[string]string{}, samples: map[string]map[string][]float64{}}
			for left := samples(t); left > 0; left -= round {
				o.gather(t, min(left, round))
			}
			o.looks(t, o.subjects(t, 25))
			o.judge(t)
		})
	}
}

// samples is how many addresses of each kind are asked about.
func samples(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SECURITY_SAMPLES") //nolint:forbidigo // a test has no service.Env
	if text == "" {
		return round
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 25 {
		t.Fatalf("SECURITY_SAMPLES is %q, want a number of at least 25", text)
	}
	return n
}

// oracle is what a stranger learns by asking.
type oracle struct {
	s *system
	// answers has, for each question to each class, what was answered, and the
	// first kind that was answered so.
	answers map[string]map[string]string
	// samples has, for each question, the times that answers to each kind took, and
	// those that they name.
	samples map[string]map[string][]float64
}

// subject is one address.
type subject struct{ kind, email string }

// gather asks everything about n addresses of each kind, one question after the
// other, in an order that is drawn: what the system still does for the last
// address falls on any kind.
func (o *oracle) gather(t *testing.T, n int) {
	t.Helper()
	byREST, byPages := o.subjects(t, n), o.subjects(t, n)
	g := o.s.Gateways()
	getOTP := func(email string) *http.Request {
		return o.call(t, g.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: email})
	}
	o.each(t, "getotp", byREST, getOTP)
	o.each(t, "getotp again", byREST, getOTP)
	o.each(t, "authen", byREST, func(email string) *http.Request {
		return o.call(t, g.OTP+restapi.PathAuthen, restapi.AuthenRequest{Email: email, OTP: "0000000"})
	})
	o.each(t, "register", byREST, func(email string) *http.Request {
		return o.call(t, g.RegisterURL(), restapi.RegisterRequest{Firstname: "A", Lastname: "B", Email: email})
	})
	o.each(t, "the form", byPages, func(email string) *http.Request {
		return request(t, http.MethodPost, o.s.UI.URL+"/", strings.NewReader("lang=en&email="+url.QueryEscape(email)), http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
		})
	})
}

// looks notes the page that follows the form.
func (o *oracle) looks(t *testing.T, some []subject) {
	t.Helper()
	for _, who := range some {
		page := o.s.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": who.email})
		o.note("the page", who, tells(who.email, page.Status, page.Header, page.URL.Path+page.Body))
	}
}

// subjects makes n addresses of each kind.
func (o *oracle) subjects(t *testing.T, n int) (all []subject) {
	t.Helper()
	var listed []string
	for range n {
		for _, kind := range kinds() {
			who := subject{kind, o.s.address()}
			if !strings.HasSuffix(kind, "unlisted") {
				listed = append(listed, who.email)
			}
			all = append(all, who)
		}
	}
	o.s.Gateways().Import(t, listed...)
	now := o.s.clock(t)
	redis := o.s.redis.Pipeline()
	for _, who := range all {
		if strings.HasSuffix(who.kind, "registered") {
			redis.HSet(t.Context(), "otp:registered", who.email, now.UnixMilli())
		}
		if strings.HasPrefix(who.kind, "locked") {
			redis.RPush(t.Context(), "otp:failed:"+who.email, slices.Repeat([]any{now.UnixMilli()}, 20)...)
		}
	}
	if _, err := redis.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return all
}

func (o *oracle) call(t *testing.T, url string, body any) *http.Request {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return request(t, http.MethodPost, url, strings.NewReader(string(data)), http.Header{"Content-Type": {"application/json"}})
}

// each asks one question about all, and takes the time until the end of the
// answer.
func (o *oracle) each(t *testing.T, question string, all []subject, ask func(email string) *http.Request) {
	t.Helper()
	client := &http.Client{
		Transport: &http.Transport{}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	for _, i := range rand.Perm(len(all)) { //nolint:gosec // G404: an order, no secret
		who := all[i]
		req := ask(who.email)
		begin := time.Now()
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		took := time.Since(begin)
		if _ = res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		o.sample(question, who.kind, took.Seconds())
		o.note(question, who, tells(who.email, res.StatusCode, res.Header, string(body)))
	}
}

func (o *oracle) sample(question, kind string, value float64) {
	if o.samples[question] == nil {
		o.samples[question] = map[string][]float64{}
	}
	o.samples[question][kind] = append(o.samples[question][kind], value)
}

// note keeps an answer.
func (o *oracle) note(question string, who subject, a told) {
	for where, value := range a.seconds {
		o.sample(question+", "+where, who.kind, value)
	}
	class := question + ", " + class(who.kind)
	if o.answers[class] == nil {
		o.answers[class] = map[string]string{}
	}
	if o.answers[class][a.text] == "" {
		o.answers[class][a.text] = who.kind
	}
}

// judge compares what was gathered.
func (o *oracle) judge(t *testing.T) {
	t.Helper()
	for question, answers := range o.answers {
		for answer, kind := range answers {
			if len(answers) > 1 {
				t.Errorf("%s has %d answers; for an address that is %s:\n%s", question, len(answers), kind, answer)
			}
		}
	}
	pairs := o.pairs()
	for _, p := range pairs {
		a, b := o.samples[p.question][p.a], o.samples[p.question][p.b]
		if len(a) == 0 && len(b) == 0 {
			continue // a time that only the other class is told
		}
		if len(a) != len(b) {
			t.Errorf("%s: %d answers for %s and %d for %s", p.question, len(a), p.a, len(b), p.b)
			continue
		}
		apart, ks, bound := math.Abs(median(a)-median(b)), distance(a, b), significant(falseAlarm/float64(len(pairs)), len(a), len(b))
		t.Logf("%s: median %.3f ms %s, %.3f ms %s; distance %.3f of %.3f", p.question, 1000*median(a), p.a, 1000*median(b), p.b, ks, bound)
		if apart > mostApart && !p.named || ks > bound {
			t.Errorf("%s tells %s (median %.6f s) from %s (%.6f s): the distributions are %.3f apart, by chance at most %.3f",
				p.question, p.a, median(a), p.b, median(b), ks, bound)
		}
	}
}

// pair is two kinds whose answers to a question must not tell them apart.
type pair struct {
	question, a, b string
	// named is true for times that answers name: in whole units, so that the
	// medians of one distribution may be one apart.
	named bool
}

func (o *oracle) pairs() (all []pair) {
	for _, question := range slices.Sorted(maps.Keys(o.samples)) {
		for i, a := range kinds() {
			for _, b := range kinds()[i+1:] {
				if class(a) == class(b) {
					all = append(all, pair{question, a, b, strings.Contains(question, ", ")})
				}
			}
		}
	}
	return all
}

// The shortcut by which [oracle.subjects] makes an address registered leaves what
// a registration leaves.
func TestOracle_RegisteredIsRegistered(t *testing.T) { //nolint:paralleltest // beside one that measures
	s := startPlan(t, harness.Plan{Each: 1})
	o := &oracle{s: s}
	registered, short := s.listed(t), ""
	c := s.client()
	if !c.guess(t, registered, s.codeFor(t, c, registered)) {
		t.Fatal("the code is not accepted")
	}
	c.WaitProgress(t, c.RegisterStudent(t, "Really", "Registered", registered))
	for _, who := range o.subjects(t, 1) {
		if who.kind == "registered" {
			short = who.email
		}
	}
	eventually(t, "the address is retired", 30*time.Second, func() bool {
		return s.redis.HExists(t.Context(), "otp:registered", registered).Val()
	})
	for _, key := range []string{"otp:listed", "otp:registered"} {
		if a, b := s.redis.HExists(t.Context(), key, registered).Val(), s.redis.HExists(t.Context(), key, short).Val(); a != b {
			t.Errorf("%s has the registered address: %v, and the one of the shortcut: %v", key, a, b)
		}
	}
}
