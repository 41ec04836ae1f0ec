package e2e_test

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"matriq/pkg/testenv"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// person sits in front of a browser and goes through the pages of a suite. What
// fails ends the test.
type person struct {
	t     *testing.T
	suite *harness.Up
	b     *browser.Browser
}

// newPerson opens a browser for somebody whose language it prefers.
func newPerson(t *testing.T, suite *harness.Up, o browser.Options) *person {
	t.Helper()
	o.Path = testenv.Chromium(t)
	o.Origins = []string{suite.UI}
	if suite.Inbox != "" {
		o.Origins = append(o.Origins, string(suite.Inbox))
	}
	// The browser outlives the test's context, so that its last page can be
	// shown when the test has failed.
	b, err := browser.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, suite: suite, b: b}
	t.Cleanup(func() {
		defer b.Close()
		if t.Failed() {
			page, err := b.Eval(`location + "\n" + document.body.innerText`)
			var text string
			t.Logf("the last page (%v, %v):\n%s", err, json.Unmarshal(page, &text), text)
		}
	})
	return p
}

func (p *person) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// opens goes to a path of the pages.
func (p *person) opens(path string) {
	p.t.Helper()
	p.must(p.b.Open(p.suite.UI + path))
}

func (p *person) types(field, text string) {
	p.t.Helper()
	p.must(p.b.Type("#"+field, text))
}

// clicks on what leads to another page.
func (p *person) clicks(selector string) {
	p.t.Helper()
	p.must(p.b.ClickToPage(selector))
}

// sends the form that field is in.
func (p *person) sends(field string) {
	p.t.Helper()
	p.clicks("form:has(#" + field + ") button[type=submit]")
}

// speaks switches the language of the pages.
func (p *person) speaks(language string) {
	p.t.Helper()
	p.clicks(`header a[hreflang="` + language + `"]`)
	p.is("lang", language, `document.documentElement.lang`)
}

// eval is the value of a JavaScript expression.
func eval[T any](p *person, expression string) T {
	p.t.Helper()
	raw, err := p.b.Eval(expression)
	p.must(err)
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		p.t.Fatalf("%s is %s: %v", expression, raw, err)
	}
	return value
}

// is fails the test unless an expression has a value.
func (p *person) is(what, want, expression string) {
	p.t.Helper()
	if got := eval[string](p, expression); got != want {
		p.t.Fatalf("%s is %q, want %q", what, got, want)
	}
}

// sees fails the test unless the page is the one at path and shows every part.
func (p *person) sees(path string, parts ...string) {
	p.t.Helper()
	at, err := url.Parse(eval[string](p, `location.href`))
	p.must(err)
	if at.Path != path {
		p.t.Fatalf("the page is %s, want %s", at, path)
	}
	text := eval[string](p, `document.body.innerText`)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			p.t.Fatalf("%s does not show %q", at, part)
		}
	}
}

// text is what the element says.
func (p *person) text(selector string) string {
	p.t.Helper()
	return strings.TrimSpace(eval[string](p, `document.querySelector(`+strconv.Quote(selector)+`).innerText`))
}

// noFaults fails the test if anything went wrong behind the pages so far.
func (p *person) noFaults() {
	p.t.Helper()
	faults, err := p.b.Faults()
	p.must(err)
	if len(faults) > 0 {
		p.t.Fatalf("behind the pages:\n%s", strings.Join(faults, "\n"))
	}
}

// proves goes from the first page to that of the names.
func (p *person) proves(email string) {
	p.t.Helper()
	p.types("email", email)
	p.sends("email")
	p.sees("/authen", email)
	p.types("otp", p.suite.Code(p.t, email))
	p.sends("otp")
	p.sees("/reg", email)
}

// registers goes from the first page to the last and returns the student ID.
func (p *person) registers(email, first, last string) string {
	p.t.Helper()
	p.proves(email)
	p.types("firstname", first)
	p.types("lastname", last)
	p.sends("lastname")
	p.sees("/done", first, last)
	return p.text("output")
}
