package ui_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
)

// The code that the fake issues, the ID that it gives, and how its client
// proves itself.
const (
	rightCode = "123456"
	studentID = 69000001
	client    = "ui"
	phrase    = "correct-horse-battery"
)

// fakeGateways are both REST gateways as far as the pages can tell: one code at
// a time for an address, five guesses, and one registration.
type fakeGateways struct {
	*httptest.Server
	t testing.TB

	mu         sync.Mutex
	left       map[string]int  // guesses for the code that is out
	verified   map[string]bool // addresses that proved themselves
	registered map[string]restapi.RegisterRequest
	seen       []seen // every request, in order
	next       []answer
	progress   restapi.ProgressReply
	ineligible bool
	life       time.Duration // of a code
	proof      string        // that the next right code gets
	gate       *gate         // not reached yet
	waiting    *gate         // the one that hold made
}

// gate holds the next request for a path until it is opened.
type gate struct {
	path          string
	arrived, open chan struct{}
}

// seen is one request as it arrived.
type seen struct {
	path   string
	header http.Header
	body   map[string]string
}

// answer is given instead of the fake's own.
type answer struct {
	status     int
	reason     string
	retryAfter int
}

func newFakeGateways(tb testing.TB) *fakeGateways {
	tb.Helper()
	now := time.Now()
	f := &fakeGateways{
		t: tb, left: map[string]int{}, verified: map[string]bool{}, registered: map[string]restapi.RegisterRequest{},
		life:     10 * time.Minute,
		progress: restapi.ProgressReply{StudentID: studentID, Registered: &now},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+restapi.PathGetOTP, f.getOTP)
	mux.HandleFunc("POST "+restapi.PathAuthen, f.authen)
	mux.HandleFunc("POST "+restapi.PathRegister, f.register)
	mux.HandleFunc("GET "+restapi.PathProgress, f.follow)
	f.Server = httptest.NewServer(f.admit(mux))
	tb.Cleanup(f.Close)
	return f
}

// admit notes the request, checks the credential, and gives the next answer that
// a test has laid ready.
func (f *fakeGateways) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.pass(r.URL.Path)
		f.mu.Lock()
		defer f.mu.Unlock()
		s := seen{path: r.URL.Path, header: r.Header.Clone(), body: map[string]string{}}
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&s.body); err != nil {
				f.t.Errorf("%s: body: %v", r.URL.Path, err)
			}
		}
		f.seen = append(f.seen, s)
		if user, pw, _ := r.BasicAuth(); user != client || pw != phrase {
			refuse(w, answer{status: http.StatusUnauthorized, reason: "unauthenticated"})
			return
		}
		if len(f.next) > 0 {
			a := f.next[0]
			f.next = f.next[1:]
			refuse(w, a)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hold stops the next code on its way, held waits for it, release lets it go.
func (f *fakeGateways) hold() { f.holdNext(restapi.PathAuthen) }

// holdNext stops the next request for a path.
func (f *fakeGateways) holdNext(path string) *gate {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate = &gate{path: path, arrived: make(chan struct{}), open: make(chan struct{})}
	f.waiting = f.gate
	return f.gate
}

func (f *fakeGateways) held() { <-f.waiting.arrived }

func (f *fakeGateways) release() { close(f.waiting.open) }

func (f *fakeGateways) pass(path string) {
	f.mu.Lock()
	g := f.gate
	if g == nil || g.path != path {
		f.mu.Unlock()
		return
	}
	f.gate = nil
	f.mu.Unlock()
	close(g.arrived)
	<-g.open
}

// last is the request being served.
func (f *fakeGateways) last() map[string]string { return f.seen[len(f.seen)-1].body }

func (f *fakeGateways) getOTP(w http.ResponseWriter, _ *http.Request) {
	if f.ineligible {
		reply(w, restapi.GetOTPReply{Results: "0"})
		return
	}
	f.left[f.last()["email"]] = 5
	reply(w, restapi.GetOTPReply{Results: "1", Ref: "KMT", ExpiresIn: int(f.life.Seconds()), ResendAfter: 60})
}

func (f *fakeGateways) authen(w http.ResponseWriter, _ *http.Request) {
	email := f.last()["email"]
	left := max(0, f.left[email]-1)
	f.left[email] = left
	if f.last()["otp"] == rightCode {
		f.left[email], f.verified[email] = 0, true
		reply(w, restapi.AuthenReply{Results: 1, Proof: f.proof})
		return
	}
	reply(w, restapi.AuthenReply{AttemptsLeft: &left})
}

func (f *fakeGateways) register(w http.ResponseWriter, _ *http.Request) {
	body := f.last()
	if !f.verified[body["email"]] {
		refuse(w, answer{status: http.StatusForbidden, reason: "not_verified"})
		return
	}
	f.registered[body["email"]] = restapi.RegisterRequest{
		Firstname: body["firstname"], Lastname: body["lastname"], Email: body["email"],
	}
	reply(w, restapi.RegisterReply{Results: "registered", StudentID: studentID})
}

func (f *fakeGateways) follow(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("studentID") != strconv.Itoa(studentID) {
		refuse(w, answer{status: http.StatusNotFound, reason: "no_such_student"})
		return
	}
	reply(w, f.progress)
}

// answers lays answers ready for the next requests.
func (f *fakeGateways) answers(next ...answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// confirmed lets the registration be enrolled and e-mailed.
func (f *fakeGateways) confirmed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.progress.Enrolled, f.progress.Emailed = &now, &now
}

// proves lets the next right codes get a proof; "" none.
func (f *fakeGateways) proves(proof string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proof = proof
}

// unlisted lets the gateway disclose that addresses are not listed.
func (f *fakeGateways) unlisted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ineligible = true
}

// shortLived lets codes live for a second.
func (f *fakeGateways) shortLived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life = time.Second
}

// lapse takes back what addresses have proved.
func (f *fakeGateways) lapse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.verified)
}

// requests are those for path so far.
func (f *fakeGateways) requests(path string) []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []seen
	for _, s := range f.seen {
		if s.path == path {
			found = append(found, s)
		}
	}
	return found
}

// students are the registrations so far, by address.
func (f *fakeGateways) students() map[string]restapi.RegisterRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.registered)
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/problem+json")
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	w.WriteHeader(a.status)
	p := restapi.Problem{Type: restapi.ProblemTypePrefix + a.reason, Status: a.status, RetryAfter: a.retryAfter}
	_ = json.NewEncoder(w).Encode(p)
}
