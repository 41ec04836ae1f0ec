package harness

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Form is a form of a page, filled in.
type Form struct {
	Action string
	Values url.Values
}

// FindForm returns the form of a page that has all the fields, filled in with
// their values, and with what the page itself has in the others.
func FindForm(page *html.Node, fields map[string]string) (Form, bool) {
	return FindFormTo(page, "", fields)
}

// FindFormTo is FindForm among those whose action is a path; "" is any.
func FindFormTo(page *html.Node, action string, fields map[string]string) (Form, bool) {
	for n := range page.Descendants() {
		if n.Data != "form" || action != "" && attr(n, "action") != action {
			continue
		}
		f := Form{Action: attr(n, "action"), Values: formValues(n)}
		if f.fill(fields) {
			return f, true
		}
	}
	return Form{}, false
}

// fill is false when the form lacks a field.
func (f Form) fill(fields map[string]string) bool {
	for name, value := range fields {
		if !f.Values.Has(name) {
			return false
		}
		f.Values.Set(name, value)
	}
	return true
}

// Request is what a browser sends for the form on the page at a URL.
func (f Form) Request(ctx context.Context, page *url.URL) (*http.Request, error) {
	action, err := page.Parse(f.Action)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(f.Values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req, nil
}

// formValues are the fields of a form as the page has them.
func formValues(form *html.Node) url.Values {
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && attr(n, "name") != "" {
			values.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	return values
}
