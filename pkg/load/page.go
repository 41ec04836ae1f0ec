package load

import (
	"context"
	"net/http"
)

// Page asks for one page, as a browser that has not been there.
type Page struct {
	Site *Site
	Path string // "/" if empty
}

// Name implements [Plan].
func (p Page) Name() string { return "page" }

// Visit implements [Plan].
func (p Page) Visit(ctx context.Context, v *Visit) error {
	path := p.Path
	if path == "" {
		path = "/"
	}
	c := p.Site.visitor()
	defer c.close()
	req := &request{method: http.MethodGet, path: path, header: append(accept(), "Accept-Encoding", "gzip")}
	return v.Answer(req.what(), func() error {
		_, err := c.do(ctx, req)
		return err
	})
}
