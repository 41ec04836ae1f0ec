package load_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"matriq/pkg/load"
)

// registry is a registration in miniature, as a visitor sees the real one: the
// pages, the two gateways, and a mailbox. A code is the address's number.
type registry struct {
	mu         sync.Mutex
	codes      map[string]string // by reference
	registered []string
	proofs     int  // registrations that showed the proof that they were given
	busy       int  // requests that are told to come later
	lostMails  bool // no mail arrives
}

var pageOf = template.Must(template.New("").Parse(`<!doctype html><p>{{.Text}}</p>
<form method="post" action="/resend"><input type="hidden" name="journey" value="a&amp;b"></form>
<form method="post" action="{{.Action}}"><input type="hidden" name="journey" value="a&amp;b">
{{range .Fields}}<input name="{{.}}" value="">{{end}}</form>
<abbr class="ref" translate="no">{{.Ref}}</abbr> {{with .ID}}<output translate="no">{{.}}</output>{{end}}`))

type pageView struct {
	Text, Action, Ref string
	Fields            []string
	ID                int
}

func (reg *registry) handler() http.Handler {
	mux := http.NewServeMux()
	show := func(v pageView) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			v := v
			if c, err := r.Cookie("sid"); err == nil {
				v.Ref = "R" + c.Value
			} else if v.Action != "/" {
				http.Redirect(w, r, "/", http.StatusSeeOther)
				return
			}
			_ = pageOf.Execute(w, v)
		}
	}
	mux.HandleFunc("GET /{$}", show(pageView{Action: "/", Fields: []string{"email"}}))
	mux.HandleFunc("GET /authen", show(pageView{Action: "/authen", Fields: []string{"otp"}}))
	mux.HandleFunc("GET /reg", show(pageView{Action: "/reg", Fields: []string{"firstname", "lastname"}}))
	mux.HandleFunc("GET /done", show(pageView{Action: "/leave", ID: 69000001}))
	mux.HandleFunc("GET /done/progress", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<div data-complete>`) })
	mux.HandleFunc("POST /{$}", reg.form("/authen", func(w http.ResponseWriter, r *http.Request) bool {
		number := reg.issue(r.PostForm.Get("email"))
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: number, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		return true
	}))
	mux.HandleFunc("POST /authen", reg.form("/reg", func(_ http.ResponseWriter, r *http.Request) bool {
		c, err := r.Cookie("sid")
		return err == nil && reg.code("R"+c.Value) == r.PostForm.Get("otp")
	}))
	mux.HandleFunc("POST /reg", reg.form("/done", func(_ http.ResponseWriter, r *http.Request) bool {
		reg.register(r.PostForm.Get("firstname") + "/" + r.PostForm.Get("lastname"))
		return true
	}))
	reg.gateways(mux)
	mux.HandleFunc("GET /mails", reg.mails)
	return mux
}

func (reg *registry) form(to string, take func(http.ResponseWriter, *http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if reg.isBusy() {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.ParseForm() != nil || r.PostForm.Get("journey") != "a&b" || !take(w, r) {
			http.Redirect(w, r, "/authen?again", http.StatusSeeOther)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

func (reg *registry) gateways(mux *http.ServeMux) {
	call := func(do func(body map[string]string) any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var body map[string]string
			if name, password, _ := r.BasicAuth(); name != "demo" || password != "s3c:ret" || json.NewDecoder(r.Body).Decode(&body) != nil {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_ = json.NewEncoder(w).Encode(do(body))
		}
	}
	mux.HandleFunc("POST /api/getotp", call(func(body map[string]string) any {
		return map[string]any{"results": "1", "ref": "R" + reg.issue(body["email"])}
	}))
	mux.HandleFunc("POST /api/authen", call(func(body map[string]string) any {
		number, _, _ := strings.Cut(body["email"], "@")
		return map[string]any{"results": map[bool]int{true: 1}[reg.code("R"+number) == body["otp"]], "proof": "proof of " + body["email"]}
	}))
	mux.HandleFunc("POST /api/register", call(func(body map[string]string) any {
		reg.register(body["firstname"] + "/" + body["lastname"])
		reg.showProof(body["proof"] == "proof of "+body["email"])
		return map[string]any{"results": "registered", "studentID": 69000001}
	}))
	mux.HandleFunc("GET /api/register/69000001", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"enrolled":"2026-11-21T21:00:00Z","emailed":"2026-11-21T21:00:00Z"}`)
	})
}

func (reg *registry) showProof(right bool) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if right {
		reg.proofs++
	}
}

func (reg *registry) isBusy() bool {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.busy--
	return reg.busy >= 0
}

// issue makes a code and returns the number in an address.
func (reg *registry) issue(email string) string {
	number, _, _ := strings.Cut(email, "@")
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if !reg.lostMails {
		reg.codes["R"+number] = "1234" + number
	}
	return number
}

func (reg *registry) code(ref string) string {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return reg.codes[ref]
}

func (reg *registry) register(name string) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.registered = append(reg.registered, name)
}

// mails has an older mail with another reference too.
func (reg *registry) mails(w http.ResponseWriter, r *http.Request) {
	number, _, _ := strings.Cut(r.URL.Query().Get("to"), "@")
	mails := []map[string]any{{"text": "code: 999999\nReference: older", "html": `<p style="color:#123456">`, "received_at": "2026-11-21T21:00:00.123456Z"}}
	if code := reg.code("R" + number); code != "" {
		mails = append(mails, map[string]any{"subject": "Your code (reference R" + number + ")", "text": "code: " + code + "\n"})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"messages": mails})
}

func newRegistry(t *testing.T) (*registry, string) {
	t.Helper()
	reg := &registry{codes: map[string]string{}}
	s := httptest.NewServer(reg.handler())
	t.Cleanup(s.Close)
	return reg, s.URL
}

func addresses(n int) *load.People {
	var emails []string
	for i := range n {
		emails = append(emails, fmt.Sprintf("%02d@example.ac.th", i))
	}
	return load.NewPeople(emails)
}

func mailbox(t *testing.T, url string) *load.JSONMailbox {
	t.Helper()
	box, err := load.NewJSONMailbox(url + "/mails?to={address}")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	return box
}

func journey(t *testing.T, url string, people int) *load.Journey {
	t.Helper()
	s := site(t, url)
	s.Connections = load.PerVisit
	return &load.Journey{Site: s, People: addresses(people), Codes: mailbox(t, url), Follow: true}
}

// Everybody on the list comes through, once, and every step is measured.
func TestJourney(t *testing.T) {
	t.Parallel()
	reg, url := newRegistry(t)
	res := run(t, journey(t, url, 30), load.Options{Users: 5, For: time.Minute})
	if res.Visits.Done != 30 || res.Ended != load.EndedNobodyLeft {
		t.Fatalf("%+v with %+v, ended %s", res.Visits, res.Errors, res.Ended)
	}
	slices.Sort(reg.registered)
	if got := slices.Compact(slices.Clone(reg.registered)); len(got) != 30 || len(reg.registered) != 30 || got[0] != "Malee A/Jaidee A" {
		t.Errorf("registered %v", reg.registered)
	}
	var names []string
	for _, s := range res.Steps {
		names = append(names, s.Name)
		if s.Good.Count != 30 || s.Failed != 0 {
			t.Errorf("step %+v, want 30 good", s)
		}
	}
	want := "GET / POST / GET /authen mail with the code POST /authen GET /reg POST /reg GET /done GET /done/progress enrolled and confirmed"
	slices.Sort(names)
	for _, name := range names {
		if !strings.Contains(want, name) {
			t.Errorf("there is a step %s", name)
		}
	}
	if len(names) != 10 || res.Answers.Count != 8*30 {
		t.Errorf("steps are %v with %d answers, want 10 and 240", names, res.Answers.Count)
	}
}

func TestREST(t *testing.T) {
	t.Parallel()
	reg, url := newRegistry(t)
	gateway := site(t, strings.Replace(url, "://", "://demo:s3c%3Aret@", 1)+"/api/")
	plan := &load.REST{OTP: gateway, Register: gateway, People: addresses(30), Codes: mailbox(t, url), Follow: true}
	res := run(t, plan, load.Options{Rate: 300, For: time.Minute})
	if res.Visits.Done != 30 || len(reg.registered) != 30 || res.Answers.Count != 4*30 {
		t.Errorf("%+v with %+v; registered %v", res.Visits, res.Errors, reg.registered)
	}
	if reg.proofs != 30 {
		t.Errorf("%d of 30 registrations showed their proof", reg.proofs)
	}
}

// A gateway that does not know the client is told of by its status.
func TestREST_WrongPassword(t *testing.T) {
	t.Parallel()
	_, url := newRegistry(t)
	gateway := site(t, strings.Replace(url, "://", "://demo:wrong@", 1)+"/api")
	plan := &load.REST{OTP: gateway, Register: gateway, People: addresses(3), Codes: mailbox(t, url)}
	res := run(t, plan, load.Options{Users: 1, For: time.Minute})
	if res.Visits.Failed != 3 || res.Errors[0].Kind != "status_401" || strings.Contains(res.Errors[0].First, "wrong") {
		t.Errorf("%+v with %+v, want 3 of status_401, without the password", res.Visits, res.Errors)
	}
}

// What goes wrong on the way has a kind, and no address in it.
func TestJourney_Failures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrange func(*registry, *load.Journey)
		want    load.Kind
	}{
		"no mail":     {func(reg *registry, _ *load.Journey) { reg.lostMails = true }, load.KindNoMail},
		"no mailbox":  {func(_ *registry, j *load.Journey) { j.Codes = broken{} }, load.KindMailbox},
		"wrong code":  {func(_ *registry, j *load.Journey) { j.Codes, j.Mail.Within = wrong{}, 0 }, load.KindWrong},
		"turned away": {func(reg *registry, _ *load.Journey) { reg.busy = 100 }, load.KindLater},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, url := newRegistry(t)
			j := journey(t, url, 3)
			j.Mail.Within = 100 * time.Millisecond
			test.arrange(reg, j)
			res := run(t, j, load.Options{Users: 3, For: time.Minute})
			if len(res.Errors) != 1 || res.Errors[0].Kind != test.want || res.Errors[0].Count != 3 || strings.Contains(res.Errors[0].First, "@") {
				t.Errorf("errors are %+v, want 3 %s without an address", res.Errors, test.want)
			}
		})
	}
}

type broken struct{}

func (broken) Code(context.Context, string, string) (string, error) { return "", http.ErrServerClosed }

type wrong struct{}

func (wrong) Code(context.Context, string, string) (string, error) { return "000000", nil }

// Patient people come again when they are told to, and come through.
func TestJourney_Patience(t *testing.T) {
	t.Parallel()
	reg, url := newRegistry(t)
	reg.busy = 2
	j := journey(t, url, 1)
	j.Patience = load.Patience(10 * time.Second)
	res := run(t, j, load.Options{Users: 1, For: time.Minute})
	if res.Visits.Done != 1 || res.TurnedAway.Count != 2 || res.Visit.Max < 2000 {
		t.Errorf("%+v with %d turned away, %v ms: want 1 done after 2 s", res.Visits, res.TurnedAway.Count, res.Visit.Max)
	}
}
