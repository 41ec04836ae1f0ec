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
	"regexp"
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
	// mostApart is how far the medians of two kinds of addresses may be apart.
	mostApart = 5 * time.Millisecond
	// falseAlarm is how often the whole test may fail by chance alone.
	falseAlarm = 0.001
)

// kinds are the addresses that nobody may tell apart; those that are locked by
// wrong guesses are so whatever they are beside.
func kinds() []string {
	return []string{"listed", "unlisted", "registered", "locked listed", "locked unlisted", "locked registered"}
}

// Threat: who asks for codes learns who is on the list, or has registered, by
// what the answers say or by how long they take. Promise: with disclosure off,
// whether mails go out or cannot, nothing tells them apart: status, body, headers,
// cookies and the page that follows are the same, and the times come from one
// distribution (Kolmogorov and Smirnov), their medians within 5 ms.
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
			o := &oracle{s: s, answers: map[string]map[string]string{}, times: map[string]map[string][]time.Duration{}}
			o.gather(t, samples(t))
			o.judge(t)
		})
	}
}

func samples(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("SECURITY_SAMPLES")) //nolint:forbidigo // says how long to look
	if err != nil {
		return 100
	}
	return n
}

// oracle is what a stranger learns by asking.
type oracle struct {
	s *system
	// answers has what was answered to each question for each kind, without what
	// differs for everybody.
	answers map[string]map[string]string
	times   map[string]map[string][]time.Duration
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
	o.looks(t, o.subjects(t, 3))
}

// looks notes the page that follows the form.
func (o *oracle) looks(t *testing.T, few []subject) {
	t.Helper()
	for _, who := range few {
		page := o.s.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": who.email})
		o.note(t, "the page", who, page.Status, page.Header, page.URL.Path+page.Body)
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
	for part := range slices.Chunk(listed, 500) {
		o.s.Gateways().Import(t, part...)
	}
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
	o.times[question] = map[string][]time.Duration{}
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
		o.times[question][who.kind] = append(o.times[question][who.kind], took)
		o.note(t, question, who, res.StatusCode, res.Header, string(body))
	}
}

// What differs from answer to answer whoever is asked about.
var (
	anyRef     = regexp.MustCompile(`("ref":"|translate="no">|hint_ref">|begins with |reference )[A-Z]{3}\b`)
	anySeconds = regexp.MustCompile(`("retry_after":|"expires_in":|"resend_after":|data-[a-z]+="|datetime=")[0-9TZ:.-]+|[0-9]+ (seconds?|minutes?|hours?)|[0-9]+:[0-9]{2}`)
	anyJourney = regexp.MustCompile(`name="journey" value="[^"]*"|"request_id":"[^"]*"|<code>[^<]*</code>`)
	anyCookie  = regexp.MustCompile(`sid=[^;]+`)
	anyNumber  = regexp.MustCompile(`^[0-9]+$`)
)

// note keeps an answer without what differs for everybody, and fails the test
// when one before it about another address, of a kind that must not be told
// apart, was different.
func (o *oracle) note(t *testing.T, question string, who subject, status int, header http.Header, body string) {
	t.Helper()
	body = strings.ReplaceAll(body, who.email, "ADDRESS")
	body = anyRef.ReplaceAllString(body, "${1}REF")
	body = anySeconds.ReplaceAllString(body, "${1}N")
	body = anyJourney.ReplaceAllString(body, "JOURNEY")
	var head []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value := strings.Join(header[name], " / ")
		switch name {
		case "Date", "X-Request-Id", "X-Served-By":
			value = ""
		case "Set-Cookie":
			value = anyCookie.ReplaceAllString(value, "sid=TOKEN")
		case "Retry-After":
			value = anyNumber.ReplaceAllString(value, "N")
		case "Content-Length": // of the body, which is compared itself
			value = ""
		}
		head = append(head, name+": "+value)
	}
	answer := fmt.Sprintf("%d\n%s\n%s", status, strings.Join(head, "\n"), body)
	class := question + ", " + class(who.kind)
	if o.answers[class] == nil {
		o.answers[class] = map[string]string{}
	}
	if o.answers[class][answer] == "" {
		o.answers[class][answer] = who.kind
	}
}

// class is true for kinds that are locked: a lock shows, what is behind it does
// not.
func class(kind string) string {
	if strings.HasPrefix(kind, "locked") {
		return "locked"
	}
	return "open"
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
	type pair struct{ question, a, b string }
	var pairs []pair
	for question := range o.times {
		for i, a := range kinds() {
			for _, b := range kinds()[i+1:] {
				if class(a) == class(b) {
					pairs = append(pairs, pair{question, a, b})
				}
			}
		}
	}
	for _, p := range pairs {
		a, b := o.times[p.question][p.a], o.times[p.question][p.b]
		apart, ks, bound := (median(a) - median(b)).Abs(), distance(a, b), significant(falseAlarm/float64(len(pairs)), len(a), len(b))
		t.Logf("%s: %s %v, %s %v; distance %.3f of %.3f", p.question, p.a, median(a), p.b, median(b), ks, bound)
		if apart > mostApart || ks > bound {
			t.Errorf("%s tells %s (median %v) from %s (%v): the distributions are %.3f apart, by chance at most %.3f",
				p.question, p.a, median(a), p.b, median(b), ks, bound)
		}
	}
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

// distance is that of Kolmogorov and Smirnov: how far the two empirical
// distributions are apart at most.
func distance(a, b []time.Duration) float64 {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	most, i, j := 0.0, 0, 0
	for i < len(a) && j < len(b) {
		at := min(a[i], b[j])
		for i < len(a) && a[i] == at {
			i++
		}
		for j < len(b) && b[j] == at {
			j++
		}
		most = max(most, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return most
}

// significant is the distance that two samples of one distribution exceed with a
// probability of alpha.
func significant(alpha float64, n, m int) float64 {
	return math.Sqrt(-math.Log(alpha/2) / 2 * float64(n+m) / float64(n*m))
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
