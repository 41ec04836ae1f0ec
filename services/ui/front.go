package ui

import (
	"net/http"
	"net/url"
)

// noticeEnded in the first page's query tells it that a session has ended.
const noticeEnded = "ended"

// front is the first page in all its forms, rendered once.
type front map[frontKey]frontPage

type frontKey struct {
	lang  lang
	ended bool
}

// frontPage is the page in a language, with the header for those whose link named
// the language and for those whose browser prefers it. Caches keep the second kind
// apart.
type frontPage struct {
	blob              blob
	linked, preferred http.Header
}

func (u *UI) newFront() (front, error) {
	pages := front{}
	for _, l := range languages() {
		for _, ended := range []bool{false, true} {
			body, err := u.bytes(l, "start", page{Title: "start.title", Path: pathFront, Ended: ended})
			if err != nil {
				return nil, err
			}
			b, err := newBlob(typeHTML, body)
			if err != nil {
				return nil, err
			}
			header := []string{"Content-Language", string(l), "Cache-Control", u.frontLife(), "Vary", "Accept-Encoding"}
			pages[frontKey{l, ended}] = frontPage{b, fixed(header...), fixed(append(header, "Vary", "Accept-Language")...)}
		}
	}
	return pages, nil
}

// frontLife is for how long the first page is good.
func (u *UI) frontLife() string {
	if u.cfg.ShowReplica {
		return "public, no-cache" // each reload is to show who served it
	}
	return "public, max-age=300"
}

// serveFront serves GET /. It looks at no cookie and sets none. Its language is
// the link's, or the one that the browser prefers.
func (u *UI) serveFront(w http.ResponseWriter, r *http.Request) {
	var query url.Values
	if r.URL.RawQuery != "" {
		query = r.URL.Query()
	}
	ended := query.Has(noticeEnded)
	if l, ok := parseLang(query.Get(fieldLang)); ok {
		p := u.front[frontKey{l, ended}]
		p.blob.serve(w, r, p.linked)
		return
	}
	p := u.front[frontKey{preferred(r), ended}]
	p.blob.serve(w, r, p.preferred)
}
