package security_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/testenv"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// limit is SOURCE_LIMIT of the system whose pages are looked at: more than they
// all ask together.
const limit = 1000

// Promise: no page, in no state, in either language, light or dark, on a desk or
// on a narrow phone, has anything that axe-core finds wrong by the rules of WCAG
// 2.2 A and AA and its own best practices. Every text that the pages have is seen
// on one of them. What a machine cannot find, test/e2e does by hand: the keyboard,
// pages without JavaScript, 320 pixels.
func TestPages_Accessible(t *testing.T) {
	t.Parallel()
	store := testenv.RedisServer(t)
	a := &audit{
		script: axeCore(t), texts: &book{}, store: store,
		// Without proofs, so that whoever proved an address can be made to have done so
		// too long ago: Redis alone knows of it then.
		s: startPlan(t, harness.Plan{Each: 1, Settings: map[string]string{
			"OTP_PROOF_KEY": "",
			"SOURCE_LIMIT":  fmt.Sprint(limit), "SOURCE_GUESS_LIMIT": "0", "DISCLOSE_ELIGIBILITY": "true", "SHOW_REPLICA": "true",
		}}),
		alone:     startPlan(t, harness.Plan{Replicas: map[string]int{"ui": 1}, Settings: map[string]string{"REDIS_URL": store.URL()}}),
		elsewhere: startPlan(t, harness.Plan{Replicas: map[string]int{"ui": 1}, Settings: map[string]string{"PUBLIC_ORIGIN": "https://register.example.ac.th"}}),
		edge:      harness.StartEdge(t, harness.CompileEdge(t), freeAddr(t), noReplicas(t), nil),
	}
	looks := []browser.Options{
		{Language: "th"}, {Language: "en", Dark: true}, {Language: "th", Dark: true, Width: 320, Height: 568}, {Language: "en", Width: 320, Height: 568},
	}
	// The last two states are of the whole system.
	for _, states := range []struct {
		name string
		see  func(*reader)
	}{{"everywhere", everywhere}, {"without gateways", withoutGateways}, {"without a store", withoutStore}, {"limited", limited}} {
		t.Run(states.name, func(t *testing.T) {
			for _, o := range looks {
				t.Run(fmt.Sprintf("%s, dark %v, %d wide", o.Language, o.Dark, o.Width), func(t *testing.T) {
					t.Parallel()
					states.see(a.open(t, o))
				})
			}
		})
	}
	a.wantAllTexts(t)
}

// audit is what all readers share.
type audit struct {
	s         *system
	alone     *system // a replica of the pages that finds no gateway
	elsewhere *system // one whose name is another
	store     *testenv.Server
	edge      harness.DeployedEdge
	script    string // axe-core
	texts     *book  // the pages that were looked at, by language
}

// axeCore is the script that looks for faults.
func axeCore(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../../tools/axe").Output()
	if err != nil {
		t.Fatalf("tools/axe: %v", err)
	}
	script, err := os.ReadFile(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// reader looks at pages with a browser in which axe-core runs.
type reader struct {
	*audit
	t        *testing.T
	b        *browser.Browser
	language string
}

func (a *audit) open(t *testing.T, o browser.Options) *reader {
	t.Helper()
	o.Path, o.Origins = testenv.Chromium(t), []string{a.s.UI.URL, a.alone.UI.URL, a.elsewhere.UI.URL, "http://" + a.edge.Pages}
	b, err := browser.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &reader{audit: a, t: t, b: b, language: o.Language}
}

func (r *reader) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) opens(path string) { r.t.Helper(); r.must(r.b.Open(r.s.UI.URL + path)) }

// runs runs a script on the page.
func (r *reader) runs(script string) {
	r.t.Helper()
	_, err := r.b.Eval(script + "; 0")
	r.must(err)
}

// submits writes into a field and sends the form that it is in.
func (r *reader) submits(field, text string) {
	r.t.Helper()
	r.must(r.b.Type(field, text))
	r.must(r.b.ClickToPage("form:has(" + field + ") button[type=submit]"))
}

// sends sends a form as no person would: without its button, which may wait with
// the person, or after a change.
func (r *reader) sends(form, change string) {
	r.t.Helper()
	r.runs("window.stays = true; " + change)
	r.runs(`document.querySelector('form[action="` + form + `"]').submit()`)
	r.must(r.b.Wait(`window.stays === undefined && document.readyState === "complete"`))
}

// asks goes from the first page to that of the code.
func (r *reader) asks(email string) {
	r.t.Helper()
	r.opens("/")
	r.submits("#email", email)
}

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID    string
	Help  string
	Nodes []struct {
		HTML    string
		Summary string `json:"failureSummary"`
	}
}

// finds fails the test unless the browser is at path and axe-core, having looked
// by many rules, finds nothing wrong.
func (r *reader) finds(what, path string) {
	r.t.Helper()
	r.runs(r.script + "\n")
	r.runs(`window.found = undefined; axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"],
	}).then((r) => { window.found = {at: location.pathname, html: document.documentElement.outerHTML, passes: r.passes.length, violations: r.violations} },
		(e) => { window.found = {error: String(e)} })`)
	r.must(r.b.Wait(`window.found !== undefined`))
	data, err := r.b.Eval(`window.found`)
	r.must(err)
	var found struct {
		At, Error, HTML string
		Passes          int
		Violations      []violation
	}
	r.must(json.Unmarshal(data, &found))
	const few = 10
	if found.Error != "" || found.At != path || found.Passes < few {
		r.t.Fatalf("%s: at %s, want %s; %d rules hold; error %q\n%s", what, found.At, path, found.Passes, found.Error, found.HTML)
	}
	for _, v := range found.Violations {
		for _, n := range v.Nodes {
			r.t.Errorf("%s: %s (%s) at %s: %s", what, v.Help, v.ID, n.HTML, n.Summary)
		}
	}
	r.texts.add(r.language, found.HTML)
}

// ages has the code of a journey die: what the session knows of it is a year old.
func (r *reader) ages(email string) {
	r.t.Helper()
	year := time.Now().UTC().Format("2006")
	before := time.Now().UTC().AddDate(-1, 0, 0).Format("2006")
	for _, key := range r.s.redis.Keys(r.t.Context(), "ui:session:*").Val() {
		text := r.s.redis.Get(r.t.Context(), key).Val()
		if strings.Contains(text, email) {
			old := strings.Replace(text, `"expires":"`+year, `"expires":"`+before, 1)
			r.must(r.s.redis.SetArgs(r.t.Context(), key, old, redis.SetArgs{KeepTTL: true}).Err())
		}
	}
}
