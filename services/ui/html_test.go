package ui_test

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
)

// Pages are well-formed, their IDs unique, and what they refer to is there.
func TestPagesAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"th", "en"} {
		b := newSite(t, map[string]string{"SHOW_REPLICA": "true"}).browser(t)
		b.header["Accept-Language"] = lang
		pages := []page{
			b.get("/?lang=" + lang), b.get("/?ended"), b.post("/", "email", ""), b.toCode(somchai), b.post("/authen", "otp", "1"),
			b.post("/resend"), b.get("/start"), b.toNames(somchai), b.post("/reg"), b.toDone(somchai), b.get("/nope"),
			b.send("POST", "/", form("email", somchai), map[string]string{"Sec-Fetch-Site": "cross-site"}),
		}
		for _, p := range pages {
			checkHTML(t, lang+" "+p.path, p.text)
		}
	}
}

// Pages of a step show it; pages that only tell why there is no other show none.
func TestStepIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.browser(t)
	for _, p := range []page{b.get("/"), b.toCode(somchai), b.toNames(somchai), b.toDone(somchai)} {
		if strings.Count(p.text, `aria-current="step"`) != 1 {
			t.Errorf("%s does not show one step", p.path)
		}
	}
	s.redis.Close()
	for _, p := range []page{b.get("/nope"), b.get("/done"), b.send("PUT", "/", nil, nil)} {
		if strings.Contains(p.text, `aria-current="step"`) {
			t.Errorf("%s (%d) shows a step", p.path, p.StatusCode)
		}
	}
}

// Whatever people type is shown as text.
func TestEscaping(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><b x='`
	s := newSite(t, nil)
	b := s.browser(t)
	s.gateways.answers(answer{422, "bad_email", 0})
	pages := []page{
		b.post("/", "email", evil),
		b.post("/", "email", evil).at(t, "/authen"),
		b.post("/authen", "otp", rightCode).at(t, "/reg"),
	}
	s.gateways.answers(answer{422, "bad_lastname", 0})
	pages = append(pages, b.post("/reg", "firstname", evil, "lastname", "{firstname}"))
	pages = append(pages, b.post("/reg", "firstname", evil, "lastname", "{firstname}").at(t, "/done"))
	s.gateways.answers(answer{503, "unavailable", 0})
	pages = append(pages, b.send("POST", "/", form("email", evil, "lang", evil, "journey", evil), nil))
	for _, p := range pages {
		if strings.Contains(p.text, "<script>") || strings.Contains(p.text, "<b x=") {
			t.Errorf("%s shows what was typed as it is\n%s", p.path, p.text)
		}
		checkHTML(t, p.path, p.text)
	}
	pages[4].says(t, "{firstname}", "&lt;script&gt;")
}

// The site's name is the operator's: it is text on the page, and no action of a
// template, whatever is in it.
func TestSiteNameIsText(t *testing.T) {
	t.Parallel()
	const name = `{{{.Journey}}} <b x='1'> & "Co"`
	s := newSite(t, map[string]string{"SITE_NAME_EN": name})
	b := s.browser(t)
	for _, p := range []page{b.get("/?lang=en"), b.toCode(somchai), b.get("/nope")} {
		checkHTML(t, p.path, p.text)
		if got := strings.Count(html.UnescapeString(p.text), name); got != 2 || strings.Contains(p.text, "<b x=") {
			t.Errorf("%s shows the name %d times, want it as title and heading\n%s", p.path, got, p.text)
		}
	}
}

var (
	idPattern       = regexp.MustCompile(`\sid="([^"]*)"`)
	referPattern    = regexp.MustCompile(`\s(?:for|aria-describedby|aria-labelledby)="([^"]*)"|href="#([^"]*)"`)
	booleanPattern  = regexp.MustCompile(`\s(required|autofocus|novalidate|defer|data-wait|data-complete|data-no-script)([\s>])`)
	voidPattern     = regexp.MustCompile(`<(meta|link|input)([^>]*)>`)
	unescapedAmp    = regexp.MustCompile(`&(?:[^a-z#]|$)`)
	unfilledPattern = regexp.MustCompile(`\{[a-z]+\}`)
)

// checkHTML reads a page as XML, after writing out what HTML abbreviates.
func checkHTML(t *testing.T, name, text string) {
	t.Helper()
	body := strings.TrimPrefix(text, "<!doctype html>")
	for range 3 { // attributes side by side overlap in the pattern
		body = booleanPattern.ReplaceAllString(body, ` $1=""$2`)
	}
	body = voidPattern.ReplaceAllString(body, `<$1$2/>`)
	decoder := xml.NewDecoder(strings.NewReader(body))
	decoder.Entity = xml.HTMLEntity
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			return
		}
	}
	if unescapedAmp.MatchString(text) {
		t.Errorf("%s has a bare ampersand", name)
	}
	ids := map[string]int{}
	for _, m := range idPattern.FindAllStringSubmatch(text, -1) {
		if ids[m[1]]++; ids[m[1]] > 1 {
			t.Errorf("%s has the ID %q twice", name, m[1])
		}
	}
	for _, m := range referPattern.FindAllStringSubmatch(text, -1) {
		for id := range strings.FieldsSeq(m[1] + " " + m[2]) {
			if ids[id] == 0 {
				t.Errorf("%s refers to %q, which is not there", name, id)
			}
		}
	}
	if strings.Count(text, "<h1") != 1 && strings.Contains(text, "<html") {
		t.Errorf("%s has %d headings of the first rank", name, strings.Count(text, "<h1"))
	}
	if m := unfilledPattern.FindString(text); m != "" && m != "{firstname}" {
		t.Errorf("%s says %q", name, m)
	}
}
