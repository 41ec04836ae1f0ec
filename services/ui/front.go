package ui

import (
	"net/http"

	"matriq/pkg/service/httpd"
)

// noticeEnded in the first page's query tells it that a session has ended.
const noticeEnded = "ended"

// front is the first page in all its forms, rendered once.
type front map[frontKey]frontPage

type frontKey struct {
	lang  lang
	ended bool
}

// frontPage is the page in a language, for those whose link named the language and
// for those whose browser prefers it. Caches keep the second kind apart.
type frontPage struct{ linked, preferred blob }

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
			b = b.with(u.newGreeting())
			pairs := []string{"Content-Language", string(l), "Cache-Control", u.frontLife(), "Vary", "Accept-Encoding"}
			pages[frontKey{l, ended}] = frontPage{b.with(fixed(pairs...)), b.with(fixed(append(pairs, "Vary", "Accept-Language")...))}
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

// frontFirst serves the first page ahead of what only other pages need: it is what
// most requests are for when a registration opens, it cannot fail or panic, and nothing
// that it does needs a session or the client's address. What is said of it outside, in
// headers and in metrics, is what all requests get.
func (u *UI) frontFirst(next http.Handler) http.Handler {
	if u.traced {
		return next // a span says more than a metric: it gets all of it
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !u.asksForFront(r) {
			next.ServeHTTP(w, r)
			return
		}
		pending := u.requests.Begin()
		httpd.SetRequestID(w, httpd.RequestIDOf(r, u.cfg.TrustedProxies))
		pending.End(r.Method, pathFront, u.front[frontKey{lang: preferred(r)}].preferred.serve(w, r))
	})
}

// asksForFront is true for the first page under its plain address.
func (u *UI) asksForFront(r *http.Request) bool {
	return r.URL.Path == pathFront && r.URL.RawQuery == "" &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead) && u.hosts.allow(r.Host)
}

// serveFront serves GET /. It looks at no cookie and sets none. Its language is
// the link's, or the one that the browser prefers.
func (u *UI) serveFront(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	ended := query.Has(noticeEnded)
	if l, ok := parseLang(query.Get(fieldLang)); ok {
		u.front[frontKey{l, ended}].linked.serve(w, r)
		return
	}
	u.front[frontKey{preferred(r), ended}].preferred.serve(w, r)
}
