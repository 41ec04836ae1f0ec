package ui

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"matriq/pkg/rpc"
)

const (
	maxForm = 4 << 10
	// formPatience is how long the body of a form may take.
	formPatience = 5 * time.Second
)

// visit is one request of a person, and where on the journey it finds them.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	lang    lang
	session *session
	journey journey
}

// page serves a page; GET and HEAD alone come here.
func (u *UI) page(h func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { u.handle(w, r, h) }
}

// form takes a form.
func (u *UI) form(h func(*visit) error) http.HandlerFunc {
	return u.parsed(func(w http.ResponseWriter, r *http.Request) { u.handle(w, r, h) })
}

// parsed parses the form that next takes.
func (u *UI) parsed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := parseForm(w, r); p != nil {
			u.tell(w, r, *p)
			return
		}
		next(w, r)
	}
}

// handle is the only place where an error becomes a page. It is false for those
// that ask for patience.
func (u *UI) handle(w http.ResponseWriter, r *http.Request, h func(*visit) error) bool {
	w.Header().Set("Cache-Control", "no-store")
	v, err := u.newVisit(w, r)
	if err == nil {
		err = h(v)
	}
	if err != nil {
		u.fail(w, r, err)
	}
	return err == nil
}

func parseForm(w http.ResponseWriter, r *http.Request) *problem {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return &problem{status: http.StatusUnsupportedMediaType, name: "form"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	// Where a connection has no deadlines, the server's own is left.
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(formPatience))
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return &problem{status: http.StatusRequestEntityTooLarge, name: "large"}
		}
		return &problem{status: http.StatusBadRequest, name: "form"}
	}
	// The server reads on to notice a person who goes away; a deadline left
	// behind would look like one.
	_ = conn.SetReadDeadline(time.Time{})
	return nil
}

func (u *UI) newVisit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	s, j, err := u.sessions.open(r)
	if err != nil {
		return nil, err
	}
	v := &visit{w: w, r: r, session: s, journey: j, lang: j.Lang}
	if l, ok := asked(r); ok {
		v.lang = l
	}
	if v.lang == "" {
		v.lang = preferred(r)
	}
	v.journey.Lang = v.lang
	return v, nil
}

// asked is the language that the request itself names, in the form or in the
// link.
func asked(r *http.Request) (lang, bool) {
	if l, ok := parseLang(r.PostForm.Get(fieldLang)); ok {
		return l, true
	}
	return parseLang(r.URL.Query().Get(fieldLang))
}

// typed is what the person entered, without the spaces around it.
func (v *visit) typed(field string) string { return strings.TrimSpace(v.r.PostForm.Get(field)) }

// stale is true when the form was shown for another journey than the one that
// the session is on: another tab has begun anew. A form that does not say is
// taken as it is.
func (v *visit) stale() bool {
	id := v.r.PostForm.Get(fieldJourney)
	return id != "" && id != v.journey.ID
}

// leads sends the person to path by GET. Only the path is sent: the host is the
// one that the browser knows.
func (v *visit) leads(path string) {
	if v.r.Method != http.MethodPost {
		path = withLang(path, v.r)
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
}

// toStep sends the person to the page of the own step.
func (v *visit) toStep() { v.leads(v.journey.step().path()) }

// toFront sends the person to the first page, which is told what it cannot know.
func (v *visit) toFront() {
	path := pathFront
	if v.session.cookie {
		path += "?" + noticeEnded
	}
	if v.r.Method == http.MethodPost {
		path = addLang(path, v.lang)
	}
	v.leads(path)
}

// who is for whom the gateways are called.
func (v *visit) who() on {
	meta := rpc.MetaFrom(v.r.Context())
	return on{clientIP: meta.ClientIP, requestID: meta.RequestID, lang: v.lang}
}

// withLang keeps the language that r's link names.
func withLang(path string, r *http.Request) string {
	if l, ok := parseLang(r.URL.Query().Get(fieldLang)); ok {
		return addLang(path, l)
	}
	return path
}

func addLang(path string, l lang) string {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return path + sep + fieldLang + "=" + string(l)
}
