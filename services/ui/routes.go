package ui

import (
	"net/http"
	"strings"

	"matriq/pkg/service/httpd"
)

// Paths of the pages.
const (
	pathFront    = "/"
	pathStart    = "/start"
	pathCode     = "/authen"
	pathResend   = "/resend"
	pathNames    = "/reg"
	pathDone     = "/done"
	pathProgress = "/done/progress"
	pathLeave    = "/leave"
	pathStatic   = "/static/"
	pathIcon     = "/favicon.ico"
)

// route is one path; nil: the method is refused.
type route struct {
	path      string
	get, post http.HandlerFunc
}

func (u *UI) routes() []route {
	return []route{
		{path: pathFront, get: u.serveFront, post: u.begins(u.ask)},
		{path: pathStart, get: u.page(u.showStart)},
		{path: pathCode, get: u.page(u.showCode), post: u.goesOn(u.prove)},
		{path: pathResend, post: u.goesOn(u.resend)},
		{path: pathNames, get: u.page(u.showNames), post: u.goesOn(u.register)},
		{path: pathDone, get: u.page(u.showDone)},
		{path: pathProgress, get: u.page(u.showProgress)},
		{path: pathLeave, post: u.form(u.leave)},
		{path: pathStatic + "{file}", get: u.serveStatic},
		{path: pathIcon, get: u.redirectIcon},

		// The article's.
		{path: "/getotpui", get: moved(pathFront), post: moved(pathFront)},
		{path: "/authenui", get: moved(pathCode), post: moved(pathCode)},
		{path: "/regui", get: moved(pathNames), post: moved(pathNames)},
	}
}

// Handler serves the pages.
func (u *UI) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range u.routes() {
		h := u.methods(r)
		if r.path == pathFront {
			mux.Handle("/{$}", h)
			continue
		}
		mux.Handle(r.path, h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { u.tell(w, r, problemNotFound) })
	asked := httpd.RequestID(u.cfg.TrustedProxies)(u.identify(u.requests.Measure(u.recover(u.checkHost(u.csrf.Handler(mux))))))
	return httpd.Drain(u.frontFirst(u.trace(asked)))
}

// methods refuses what a route does not have.
func (u *UI) methods(rt route) http.Handler {
	var allow []string
	if rt.get != nil {
		allow = append(allow, http.MethodGet, http.MethodHead)
	}
	if rt.post != nil {
		allow = append(allow, http.MethodPost)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case rt.get != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			rt.get(w, r)
		case rt.post != nil && r.Method == http.MethodPost:
			rt.post(w, r)
		default:
			w.Header().Set("Allow", strings.Join(allow, ", "))
			u.tell(w, r, problemMethod)
		}
	})
}

// moved leads an old address to the new one: a form arrives there as it was
// sent, with its body.
func moved(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusMovedPermanently
		if r.Method == http.MethodPost {
			status = http.StatusPermanentRedirect
		}
		http.Redirect(w, r, withLang(to, r), status)
	}
}
