package security_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"matriq/pkg/testenv"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// Promise: no page, in no state, in either language, light or dark, on a desk or
// on a narrow phone, has anything that axe-core finds wrong by the rules of WCAG
// 2.2 A and AA and its own best practices. What a machine cannot find, test/e2e
// does by hand: the keyboard, pages without JavaScript, 320 pixels.
func TestPages_Accessible(t *testing.T) {
	t.Parallel()
	s := startPlan(t, harness.Plan{Each: 1, Settings: map[string]string{"SOURCE_LIMIT": "0", "SOURCE_GUESS_LIMIT": "0"}})
	alone := startPlan(t, harness.Plan{Replicas: map[string]int{"ui": 1}})
	script := axeCore(t)
	for _, o := range []browser.Options{{Language: "th"}, {Language: "en", Dark: true}, {Language: "th", Dark: true, Width: 320, Height: 568}, {Language: "en", Width: 320, Height: 568}} {
		name := fmt.Sprintf("%s, dark %v, %d wide", o.Language, o.Dark, o.Width)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, o, script, s.UI.URL, alone.UI.URL)
			r.everywhere(s, s.listed(t))
			r.must(r.b.Open(alone.UI.URL + "/?lang=" + o.Language))
			r.must(r.b.Type("#email", "a@example.ac.th"))
			r.sends("#email")
			r.finds("nothing wrong on the page that asks for patience", "/")
		})
	}
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
	t      *testing.T
	b      *browser.Browser
	script string
}

func newReader(t *testing.T, o browser.Options, script string, origins ...string) *reader {
	t.Helper()
	o.Path, o.Origins = testenv.Chromium(t), origins
	b, err := browser.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &reader{t: t, b: b, script: script}
}

func (r *reader) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// sends the form that a field is in.
func (r *reader) sends(field string) {
	r.t.Helper()
	r.must(r.b.ClickToPage("form:has(" + field + ") button[type=submit]"))
}

// everywhere goes through all pages in all their states.
func (r *reader) everywhere(s *system, email string) {
	r.t.Helper()
	opens := func(path string) { r.must(r.b.Open(s.UI.URL + path)) }
	submits := func(field, text string) {
		r.must(r.b.Type(field, text))
		r.sends(field)
	}
	opens("/")
	r.finds("the first page", "/")
	opens("/?ended")
	r.finds("the end of a session", "/")
	submits("#email", "no address")
	r.finds("a bad address", "/start")
	submits("#email", email)
	r.finds("the code", "/authen")
	code := s.newest(r.t, email)
	// The button waits with the person, where there are scripts.
	_, err := r.b.Eval(`document.querySelector('form[action="/resend"]').submit()`)
	r.must(err)
	r.must(r.b.Wait(`document.querySelector("[role=alert]") !== null`))
	r.finds("another code too soon", "/authen")
	submits("#otp", "no code")
	r.finds("a malformed code", "/authen")
	submits("#otp", wrong(code))
	r.finds("a wrong code", "/authen")
	opens("/start")
	r.finds("the address again", "/start")
	submits("#email", email)
	r.finds("a code of before", "/authen")
	submits("#otp", code)
	r.finds("the names", "/reg")
	r.must(r.b.Type("#firstname", "1"))
	submits("#lastname", "www.evil.com")
	r.finds("bad names", "/reg")
	r.must(r.b.Type("#firstname", "Malee"))
	submits("#lastname", "Jaidee")
	r.finds("the student ID", "/done")
	r.must(r.b.Wait(`document.querySelector("#progress[data-complete]") !== null`))
	r.finds("all done", "/done")

	opens("/")
	submits("#email", s.address())
	for range 5 {
		submits("#otp", "000000")
	}
	r.finds("a code that is used up", "/authen")
	opens("/no/such/page")
	r.finds("no such page", "/no/such/page")
	opens("/resend")
	r.finds("a method that is not there", "/resend")
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
	if _, err := r.b.Eval(r.script + "\n;0"); err != nil {
		r.t.Fatal(err)
	}
	_, err := r.b.Eval(`window.found = undefined; axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"],
	}).then((r) => { window.found = {at: location.pathname, passes: r.passes.length, violations: r.violations} }, (e) => { window.found = {error: String(e)} }); 0`)
	r.must(err)
	r.must(r.b.Wait(`window.found !== undefined`))
	data, err := r.b.Eval(`window.found`)
	r.must(err)
	var found struct {
		At, Error  string
		Passes     int
		Violations []violation
	}
	r.must(json.Unmarshal(data, &found))
	const few = 10
	if found.Error != "" || found.At != path || found.Passes < few {
		r.t.Fatalf("%s: at %s, want %s; %d rules hold; error %q", what, found.At, path, found.Passes, found.Error)
	}
	for _, v := range found.Violations {
		for _, n := range v.Nodes {
			r.t.Errorf("%s: %s (%s) at %s: %s", what, v.Help, v.ID, n.HTML, n.Summary)
		}
	}
}
