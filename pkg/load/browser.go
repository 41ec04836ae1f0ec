package load

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// mostHops bounds redirects.
const mostHops = 5

// browser is a visitor of pages: it follows redirects and sends forms.
type browser struct {
	*client
	visit    *Visit
	patience Patience
}

// page is where the browser is.
type page struct {
	path string
	*answer
}

// accept is what a browser says that reads the page.
func accept() []string {
	return []string{"Accept", "text/html", "Accept-Language", "en", "User-Agent", agent}
}

// agent is what the requests say they are.
const agent = "matriq-load"

// open asks for a page.
func (b *browser) open(ctx context.Context, path string) (*page, error) {
	return b.follow(ctx, &request{method: http.MethodGet, path: path, header: accept()})
}

// submit sends the form of p that has the fields, and must be led to a path.
func (b *browser) submit(ctx context.Context, p *page, to string, fields map[string]string) (*page, error) {
	f, ok := findForm(p.body, fields)
	if !ok {
		return nil, fmt.Errorf("%s has no such form: %w", p.path, ErrWrong)
	}
	next, err := b.follow(ctx, &request{
		method: http.MethodPost, path: resolve(p.path, f.action), body: []byte(f.values.Encode()),
		header: append(accept(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"),
	})
	if err != nil {
		return nil, err
	}
	if next.path != to {
		return nil, fmt.Errorf("%s leads to %s instead of %s: %w", p.path, next.path, to, ErrWrong)
	}
	return next, nil
}

// follow sends a request and goes where it leads. Each hop is a step.
func (b *browser) follow(ctx context.Context, req *request) (*page, error) {
	for range mostHops {
		a, err := b.patiently(ctx, req)
		if err != nil {
			return nil, err
		}
		if a.status < http.StatusMultipleChoices {
			path, _, _ := strings.Cut(req.path, "?")
			return &page{path: path, answer: a}, nil
		}
		to := resolve(req.path, a.header.Get("Location"))
		if to == "" {
			return nil, fmt.Errorf("%s leads away with %d: %w", req.what(), a.status, ErrWrong)
		}
		req = &request{method: http.MethodGet, path: to, header: accept()}
	}
	return nil, fmt.Errorf("%s: more than %d redirects: %w", req.what(), mostHops, ErrWrong)
}

// patiently sends a request again when it is told to come later, as long as the
// patience lasts.
func (b *browser) patiently(ctx context.Context, req *request) (*answer, error) {
	return b.patience.ask(ctx, func() (a *answer, err error) {
		err = b.visit.Answer(req.what(), func() error {
			a, err = b.do(ctx, req)
			return err
		})
		return a, err
	})
}

// resolve is the path, with its query, that a link on the page at a path leads
// to; "" if it leads to nowhere.
func resolve(from, link string) string {
	base, err := url.Parse(from)
	if err != nil || link == "" {
		return ""
	}
	to, err := base.Parse(link)
	if err != nil {
		return ""
	}
	return to.RequestURI()
}
