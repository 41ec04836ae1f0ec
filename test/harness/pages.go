package harness

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Person walks through the pages with a browser's cookies and without
// JavaScript.
type Person struct {
	client   *http.Client
	origin   string
	language string
}

// NewPerson returns somebody who prefers a language, in front of the pages at
// origin.
func NewPerson(t *testing.T, origin, language string) *Person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Person{client: &http.Client{Jar: jar}, origin: origin, language: language}
}

// From has the person come from an address of this machine: see [ClientFrom].
func (p *Person) From(address string) *Person {
	jar := p.client.Jar
	p.client = ClientFrom(address)
	p.client.Jar = jar
	return p
}

// Cookie is the value of a cookie that the person's browser holds, "" if none.
func (p *Person) Cookie(t *testing.T, name string) string {
	t.Helper()
	for _, c := range p.client.Jar.Cookies(p.site(t)) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// Plant puts a cookie into the person's browser.
func (p *Person) Plant(t *testing.T, name, value string) {
	t.Helper()
	p.client.Jar.SetCookies(p.site(t), []*http.Cookie{{Name: name, Value: value, Path: "/"}}) //nolint:gosec // G124: what a browser would send, not what a server sets
}

func (p *Person) site(t *testing.T) *url.URL {
	t.Helper()
	site, err := url.Parse(p.origin)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// Page is what a person sees.
type Page struct {
	person *Person
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
	root   *html.Node
}

// Open asks for a path.
func (p *Person) Open(t *testing.T, path string) *Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.do(t, req)
}

func (p *Person) do(t *testing.T, req *http.Request) *Page {
	t.Helper()
	req.Header.Set("Accept-Language", p.language)
	req.Header.Set("Accept", "text/html")
	res, err := p.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	root, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return &Page{person: p, URL: res.Request.URL, Status: res.StatusCode, Header: res.Header, Body: string(body), root: root}
}

// Again asks for the page once more.
func (p *Page) Again(t *testing.T) *Page {
	t.Helper()
	return p.person.Open(t, p.URL.RequestURI())
}

// Submit fills in and sends the form that has all the fields, and returns the
// page that follows.
func (p *Page) Submit(t *testing.T, fields map[string]string) *Page {
	t.Helper()
	form, ok := FindForm(p.root, fields)
	if !ok {
		t.Fatalf("%s has no form with the fields %v:\n%s", p.URL, fields, p.Body)
	}
	req, err := form.Request(t.Context(), p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p.person.do(t, req)
}

// SubmitTo is Submit for the form whose action is a path.
func (p *Page) SubmitTo(t *testing.T, action string, fields map[string]string) *Page {
	t.Helper()
	form, ok := FindFormTo(p.root, action, fields)
	if !ok {
		t.Fatalf("%s has no form to %s with the fields %v:\n%s", p.URL, action, fields, p.Body)
	}
	req, err := form.Request(t.Context(), p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p.person.do(t, req)
}

// Has fails the test unless the page is at path and its text holds every part.
func (p *Page) Has(t *testing.T, path string, parts ...string) {
	t.Helper()
	if p.Status != http.StatusOK || p.URL.Path != path {
		t.Fatalf("page is %s with status %d, want %s:\n%s", p.URL, p.Status, path, p.Body)
	}
	text := p.Text()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Fatalf("%s does not show %q:\n%s", p.URL, part, text)
		}
	}
}

// Language is the lang attribute of the page.
func (p *Page) Language() string {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "html" {
			return attr(n, "lang")
		}
	}
	return ""
}

// Value is what an input of the page holds.
func (p *Page) Value(name string) string {
	for n := range p.root.Descendants() {
		if n.Data == "input" && attr(n, "name") == name {
			return attr(n, "value")
		}
	}
	return ""
}

// Text is what the page says, without its markup.
func (p *Page) Text() string {
	var b strings.Builder
	for n := range p.root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			b.WriteString(strings.TrimSpace(n.Data) + " ")
		}
	}
	return b.String()
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
