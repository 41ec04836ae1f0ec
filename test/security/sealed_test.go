package security_test

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// longCode is a code of ten digits: long enough that none is anywhere by chance.
var longCode = regexp.MustCompile(`\b\d{10}\b`)

// Threat: whoever reads a queue, a log, a trace, a metric, an answer, a database
// or a backup of one reads codes. Promise: a code is readable in the mail, and
// then in what its owner types: the form, the page's call of the gateway, and the
// gateway's call of otp. It is nowhere else, in whatever notation.
//
// The run has people at the pages and at REST, who register or never come back,
// a mail worker that is down for a while, and a mail server that cuts.
func TestSealed_NoReadableCodeAnywhere(t *testing.T) {
	t.Parallel()
	traces := collectTraces(t)
	s := startPlan(t, harness.Plan{Each: 1, Settings: map[string]string{
		"OTP_DIGITS": "10", "LOG_LEVEL": "debug", "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
	}})
	w := &watch{broker: tapBroker(t, s), traces: traces, asked: &book{}, said: &book{}}
	for _, edge := range []*harness.Edge{s.UI, s.OTPGateway, s.RegisterGateway} {
		edge.Tap(w.exchange)
	}
	r := &run{system: s}
	r.pageThrough(t)
	r.restThrough(t)
	r.mailTroubles(t)
	r.neverComesBack(t)
	r.settle(t)
	w.look(t, r)

	if len(r.mailed) < 8 || len(r.typed) < 4 {
		t.Fatalf("%d codes were mailed and %d typed: too few to tell anything", len(r.mailed), len(r.typed))
	}
	for _, code := range r.mailed {
		w.check(t, code, r.typed[code])
	}
}

// run is what people do while all is watched.
type run struct {
	*system
	mailed []string
	typed  map[string]bool
}

func (r *run) read(t *testing.T, email string) string {
	t.Helper()
	m := r.WaitMail(t, "a code for "+email, func(m mailsink.Message) bool {
		return m.To == email && longCode.MatchString(m.Text)
	})
	return longCode.FindString(m.Text)
}

func (r *run) types(code string) string {
	if r.typed == nil {
		r.typed = map[string]bool{}
	}
	r.typed[code] = true
	return code
}

func (r *run) pageThrough(t *testing.T) {
	t.Helper()
	for _, language := range []string{"en", "th"} {
		email := r.listed(t)
		page := r.person(t, language).Open(t, "/").Submit(t, map[string]string{"email": email})
		code := r.read(t, email)
		page = page.Submit(t, map[string]string{"otp": wrong(code)})
		page = page.Submit(t, map[string]string{"otp": r.types(code)})
		page.Submit(t, map[string]string{"firstname": "Malee", "lastname": "Jaidee"}).Has(t, "/done")
	}
}

func (r *run) restThrough(t *testing.T) {
	t.Helper()
	for range 2 {
		email, c := r.listed(t), r.client()
		c.mustAsk(t, email)
		code := r.types(r.read(t, email))
		if c.guess(t, email, wrong(code)) || !c.guess(t, email, code) || c.guess(t, email, code) {
			t.Fatal("a guess was decided wrongly")
		}
		c.RegisterStudent(t, "Malee", "Jaidee", email)
	}
}

// mailTroubles has codes wait in the work queue and in the retry queue.
func (r *run) mailTroubles(t *testing.T) {
	t.Helper()
	r.confirmed(t) // else the claim of the worker that is killed has to lapse first
	r.Replicas("email")[0].Kill()
	waiting := []string{r.listed(t), r.listed(t)}
	for _, email := range waiting {
		r.client().mustAsk(t, email)
	}
	r.Replace(t, "email", 0)
	cut := r.listed(t)
	remove := r.Mail.Inject(mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.KeepAndCut, To: cut, Times: 1})
	defer remove()
	r.client().mustAsk(t, cut)
	for _, email := range append(waiting, cut) {
		r.read(t, email)
	}
	eventually(t, "the mail that was cut comes again", time.Minute, func() bool { return len(r.Mail.Messages(cut)) == 2 })
}

// neverComesBack asks for codes that nobody types, also for an address that has
// registered and for one that is not listed.
func (r *run) neverComesBack(t *testing.T) {
	t.Helper()
	for range 3 {
		email := r.listed(t)
		r.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": email})
		r.read(t, email)
	}
	r.client().mustAsk(t, r.address())
}

// confirmed waits until all confirmations are out.
func (r *run) confirmed(t *testing.T) {
	t.Helper()
	eventually(t, "all confirmations are out", time.Minute, func() bool {
		return r.counter(t, "student", "matriq_outbox_open") == 0
	})
}

// settle waits until all casts are done and notes what was mailed.
func (r *run) settle(t *testing.T) {
	t.Helper()
	r.confirmed(t)
	for _, m := range r.Mail.Messages("") {
		if code := longCode.FindString(m.Text); code != "" {
			r.mailed = append(r.mailed, code)
		}
	}
}

// watch has all that the run left anywhere.
type watch struct {
	broker *brokerTap
	traces *traceBook
	// asked and said are the requests and the answers between browser, pages and
	// gateways.
	asked, said *book
	// kept is what logs, metrics and databases have.
	kept []record
}

// record is something readable, and where it was.
type record struct{ where, text string }

// exchange sorts what passes an edge.
func (w *watch) exchange(passed []byte) {
	head, _, _ := strings.Cut(string(passed), "\r\n")
	if strings.HasPrefix(head, "HTTP/") {
		w.said.add("answer "+head, string(passed))
		return
	}
	w.asked.add("request "+head, string(passed))
}

// look reads what is left once the processes have ended.
func (w *watch) look(t *testing.T, r *run) {
	t.Helper()
	for _, service := range harness.Services {
		for _, p := range r.Replicas(service) {
			w.kept = append(w.kept, record{"metrics of " + p.Name, fetch(t, "http://"+p.Admin+"/metrics")})
		}
	}
	for _, service := range harness.Services {
		for _, p := range r.Replicas(service) {
			_ = p.Stop() // which sends the last traces
			w.kept = append(w.kept, record{"log of " + p.Name, readFile(t, p.LogFile)})
		}
	}
	w.kept = append(w.kept, readRedis(t, r.redis)...)
	w.kept = append(w.kept, readSQL(t, r.StudentDSN)...)
	w.kept = append(w.kept, readSQL(t, r.EnrollDSN)...)
	w.broker.stop(t)
	w.sees(t)
}

// sees fails the test unless what is watched is there: a watch that sees nothing
// finds nothing.
func (w *watch) sees(t *testing.T) {
	t.Helper()
	all := map[string][]record{"broker": w.broker.all(), "traces": w.traces.all(), "requests": w.asked.all(), "answers": w.said.all(), "kept": w.kept}
	for from, parts := range map[string][]string{
		"broker":   {"email_otp.send", "otp.create", "email_otp.retry", `"sealed"`, "email.send", "rpc.reply"},
		"traces":   {"otp.create", "POST"},
		"requests": {"POST /getotp", "POST /authen", "POST /register"},
		"answers":  {`"results":"1"`, "<title>"},
		"kept":     {"mail sent", "matriq_funnel_total", "digest", "otp.retire", "students"},
	} {
		for _, part := range parts {
			if !contains(all[from], part) {
				t.Errorf("the watch over %s (%d records) has not seen %q", from, len(all[from]), part)
			}
		}
	}
}

// check fails the test where code is readable and may not be.
func (w *watch) check(t *testing.T, code string, typed bool) {
	t.Helper()
	forms := notations(code)
	for _, r := range append(w.kept, append(w.traces.all(), w.said.all()...)...) {
		if readable(r.text, forms) {
			t.Errorf("code %s is readable in %s:\n%.300s", code, r.where, r.text)
		}
	}
	calls := 0
	for _, r := range w.broker.all() {
		if !readable(r.text, forms) {
			continue
		}
		calls++
		if !typed || !strings.HasSuffix(r.where, "[otp.call.v1] otp.prove") {
			t.Errorf("code %s is readable in a message %s:\n%.300s", code, r.where, r.text)
		}
	}
	for _, r := range w.asked.all() {
		if readable(r.text, forms) && (!typed || !strings.HasPrefix(r.where, "request POST "+restapi.PathAuthen+" ")) {
			t.Errorf("code %s is readable in a %s:\n%.300s", code, r.where, r.text)
		}
	}
	if typed && calls == 0 {
		t.Errorf("code %s was typed and is in no message: the tap at the broker is blind", code)
	}
}

// notations are the ways in which a code may be written.
func notations(code string) []string {
	forms := []string{code, hex.EncodeToString([]byte(code))}
	for shift := range 3 {
		// Whole groups of three bytes alone look the same whatever is around them.
		inner := code[(3-shift)%3:]
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(inner[:len(inner)/3*3])))
	}
	return forms
}

func readable(text string, forms []string) bool {
	for _, form := range forms {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func contains(records []record, part string) bool {
	for _, r := range records {
		if strings.Contains(r.where+" "+r.text, part) {
			return true
		}
	}
	return false
}

// The notations do find a code in what holds it.
func TestSealed_Notations(t *testing.T) {
	t.Parallel()
	const code = "0421371234"
	for _, around := range []string{"", "x", "xy", "xyz", `{"email":"a@x.th","otp":"`} {
		text := around + code + `"}`
		for name, encoded := range map[string]string{
			"plain":  text,
			"hex":    hex.EncodeToString([]byte(text)),
			"base64": base64.StdEncoding.EncodeToString([]byte(text)),
		} {
			if !readable(encoded, notations(code)) {
				t.Errorf("%s of %q is not found in %s", name, code, encoded)
			}
		}
	}
	if readable("0421371235", notations(code)) {
		t.Error("another code is found")
	}
}
