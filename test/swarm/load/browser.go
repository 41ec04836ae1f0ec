package load

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"golang.org/x/net/html"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// browser registers one person by the pages, with cookies and connections of its
// own.
type browser struct {
	run    *Run
	person restapi.RegisterRequest
	client *client
	jar    *jar
}

func newBrowser(r *Run, p restapi.RegisterRequest) *browser {
	client := newClient(r.site, r.plan.Fresh, r.count)
	jar := newJar()
	client.Jar = jar
	return &browser{run: r, person: p, client: client, jar: jar}
}

func (b *browser) close() { b.client.CloseIdleConnections() }

// page is what a person sees.
type page struct {
	url  *url.URL
	body []byte
	root *html.Node
}

var studentID = regexp.MustCompile(`<output[^>]*>(\d+)</output>`)

// register walks from the first page to the last, and follows the progress
// there.
func (b *browser) register(ctx context.Context) error {
	p, err := b.ask(ctx)
	if err != nil {
		return err
	}
	return b.finish(ctx, p)
}

// Visitor is one person whose journey the test leads. Her requests count for the
// run.
type Visitor struct {
	browser *browser
	at      *page
}

// Visitor is somebody who has not come yet.
func (r *Run) Visitor() *Visitor { return &Visitor{browser: newBrowser(r, r.crowd.next())} }

// AskCode opens the first page and asks for a code.
func (v *Visitor) AskCode(ctx context.Context) (err error) {
	if v.at, err = v.browser.ask(ctx); err != nil {
		v.browser.run.count.gaveUp(v.browser.person.Email, err)
	}
	return err
}

// Email is her address.
func (v *Visitor) Email() string { return v.browser.person.Email }

// Given returns the cookies that she was given, with what was said of them.
func (v *Visitor) Given() []*http.Cookie { return v.browser.jar.given }

// Finish takes the code from the mail and goes on to the end.
func (v *Visitor) Finish(ctx context.Context) error {
	defer v.browser.close()
	err := v.browser.finish(ctx, v.at)
	v.browser.run.note(v.browser.person, err)
	return err
}

// ask opens the first page and asks for a code.
func (b *browser) ask(ctx context.Context) (*page, error) {
	p, err := b.open(ctx, b.run.site.Origin+"/")
	if err != nil {
		return nil, err
	}
	return b.submit(ctx, p, "/authen", map[string]string{"email": b.person.Email})
}

// finish goes on from the page that wants the code.
func (b *browser) finish(ctx context.Context, p *page) error {
	code, err := b.run.site.code(ctx, b.person.Email)
	if err != nil {
		return err
	}
	if p, err = b.submit(ctx, p, "/reg", map[string]string{"otp": code}); err != nil {
		return err
	}
	names := map[string]string{"firstname": b.person.Firstname, "lastname": b.person.Lastname}
	if p, err = b.submit(ctx, p, "/done", names); err != nil {
		return err
	}
	found := studentID.FindSubmatch(p.body)
	if found == nil {
		return fmt.Errorf("%s without a student ID %w", p.url.Path, errRefused)
	}
	id, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		return err
	}
	b.run.crowd.told(id, b.person)
	return b.follow(ctx)
}

// follow asks for the progress each second, as the script of the last page does.
func (b *browser) follow(ctx context.Context) error {
	return untilDone(ctx, func() (bool, error) {
		p, err := b.open(ctx, b.run.site.Origin+"/done/progress")
		if err != nil {
			return false, err
		}
		return bytes.Contains(p.body, []byte("data-complete")), nil
	})
}

func (b *browser) open(ctx context.Context, at string) (*page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	return b.do(ctx, req)
}

// submit fills in the form of a page that has the fields, and wants to be led to
// a path.
func (b *browser) submit(ctx context.Context, p *page, to string, fields map[string]string) (*page, error) {
	form, ok := harness.FindForm(p.root, fields)
	if !ok {
		return nil, fmt.Errorf("%s without the form for %v %w", p.url.Path, fields, errRefused)
	}
	req, err := form.Request(ctx, p.url)
	if err != nil {
		return nil, err
	}
	next, err := b.do(ctx, req)
	if err != nil {
		return nil, err
	}
	if next.url.Path != to {
		return nil, fmt.Errorf("%s instead of %s %w", next.url.Path, to, errRefused)
	}
	return next, nil
}

// do sends a request. Of a page that asks for patience it follows the link, or
// sends the form, that the page offers.
func (b *browser) do(ctx context.Context, req *http.Request) (*page, error) {
	for {
		req.Header.Set("Accept", "text/html")
		a, err := b.client.send(req)
		if err != nil {
			return nil, err
		}
		root, err := html.Parse(bytes.NewReader(a.body))
		if err != nil {
			return nil, err
		}
		p := &page{url: a.Request.URL, body: a.body, root: root}
		if a.StatusCode < http.StatusBadRequest {
			return p, nil
		}
		if err := pause(ctx, a.later()); err != nil {
			return nil, err
		}
		if req, err = p.again(ctx, a.Request); err != nil {
			return nil, err
		}
	}
}

// again is the request that a page which asks for patience offers: its form, or
// the page once more.
func (p *page) again(ctx context.Context, before *http.Request) (*http.Request, error) {
	form, ok := harness.FindForm(p.root, nil)
	if ok && before.Method == http.MethodPost {
		return form.Request(ctx, p.url)
	}
	next := before.Clone(ctx)
	var err error
	if before.GetBody != nil {
		next.Body, err = before.GetBody()
	}
	return next, err
}
