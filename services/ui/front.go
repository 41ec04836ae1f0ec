package ui

import "net/http"

// noticeEnded in the first page's query tells it that a session has ended.
const noticeEnded = "ended"

// front is the first page in all its forms, rendered once.
type front map[frontKey]blob

type frontKey struct {
	lang  lang
	ended bool
}

func (u *UI) newFront() (front, error) {
	pages := front{}
	for _, l := range languages() {
		for _, ended := range []bool{false, true} {
			body, err := u.bytes(l, "start", page{Title: "start.title", Path: pathFront, Ended: ended})
			if err != nil {
				return nil, err
			}
			if pages[frontKey{l, ended}], err = newBlob(typeHTML, body); err != nil {
				return nil, err
			}
		}
	}
	return pages, nil
}

// serveFront serves GET /. It looks at no cookie and sets none. Its language is
// the link's, or the one that the browser prefers; caches keep them apart.
func (u *UI) serveFront(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	l, ok := parseLang(query.Get(fieldLang))
	if !ok {
		l = preferred(r)
		w.Header().Add("Vary", "Accept-Language")
	}
	cache := "public, max-age=300"
	if u.cfg.ShowReplica {
		cache = "public, no-cache" // each reload is to show who served it
	}
	w.Header().Set("Content-Language", string(l))
	u.front[frontKey{l, query.Has(noticeEnded)}].serve(w, r, cache)
}
