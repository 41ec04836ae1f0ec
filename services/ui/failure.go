package ui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"matriq/pkg/rpc"
)

// defaultRetryAfter is told where nobody knows better.
const defaultRetryAfter = 5 * time.Second

// problem is a page that only tells why there is no other: messages
// "problem.<name>.title" and "problem.<name>.text".
type problem struct {
	status int
	name   string
}

var (
	problemNotFound = problem{http.StatusNotFound, "not_found"}
	problemMethod   = problem{http.StatusMethodNotAllowed, "method"}
	problemInternal = problem{http.StatusInternalServerError, "internal"}
)

// retry is a request that may be made again: a form with what was typed, or a
// link.
type retry struct {
	Path   string
	Post   bool
	Fields []keyValue
	// Seconds until then, and the same as people say it.
	Seconds, Wait string
}

type keyValue struct{ Name, Value string }

// fail logs err, once, and asks the person to try again: everything that handlers
// return may pass.
func (u *UI) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the person has gone
	}
	if !errors.Is(err, errStore) && !errors.Is(err, errUnavailable) && !isRefusal(err) {
		u.log.ErrorContext(r.Context(), "page failed", slog.Any("error", err))
		u.tell(w, r, problemInternal)
		return
	}
	u.log.WarnContext(r.Context(), "page asks for patience", slog.Any("error", err))
	l, after := langOf(r), retryAfterOf(err)
	w.Header().Set("Retry-After", strconv.Itoa(seconds(after)))
	again := retryOf(r)
	again.Seconds, again.Wait = strconv.Itoa(seconds(after)), u.voices[l].duration(after)
	p := page{Title: "busy.title", Path: pageOf(r.URL.Path), Retry: again}
	if err := u.render(w, l, http.StatusServiceUnavailable, "busy", p); err != nil {
		u.log.ErrorContext(r.Context(), "page failed", slog.Any("error", err))
	}
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*refusalError](err)
	return ok
}

// tell serves the page of p.
func (u *UI) tell(w http.ResponseWriter, r *http.Request, p problem) {
	w.Header().Set("Cache-Control", "no-store")
	shown := page{
		Title: "problem." + p.name + ".title", Text: "problem." + p.name + ".text", Path: pathFront,
		RequestID: rpc.MetaFrom(r.Context()).RequestID,
	}
	if err := u.render(w, langOf(r), p.status, "problem", shown); err != nil {
		u.log.ErrorContext(r.Context(), "page failed", slog.Any("error", err))
	}
}

// langOf is the language of pages that know no session.
func langOf(r *http.Request) lang {
	if l, ok := asked(r); ok {
		return l
	}
	return preferred(r)
}

// retryOf keeps what was typed in the page itself, as Redis may be what is down.
func retryOf(r *http.Request) *retry {
	again := &retry{Path: withLang(r.URL.Path, r), Post: r.Method == http.MethodPost}
	for _, name := range []string{fieldLang, fieldJourney, fieldEmail, fieldCode, fieldFirstname, fieldLastname} {
		if r.PostForm.Has(name) {
			again.Fields = append(again.Fields, keyValue{name, r.PostForm.Get(name)})
		}
	}
	return again
}

// pageOf is the page that a form's path belongs to.
func pageOf(path string) string {
	pages := []string{pathStart, pathCode, pathNames, pathDone}
	switch {
	case path == pathResend:
		return pathCode
	case slices.Contains(pages, path):
		return path
	}
	return pathFront
}
