package ui

import (
	"errors"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"matriq/pkg/admission"
)

// formsInAVisit are the address, the code and the names.
const formsInAVisit = 3

// begins takes a form with which a journey begins: while too many are under way it
// is not looked at.
func (u *UI) begins(h func(*visit) error) http.HandlerFunc { return u.gated(u.gate.First, h) }

// goesOn takes the form of somebody who has begun.
func (u *UI) goesOn(h func(*visit) error) http.HandlerFunc {
	return u.gated(func() (admission.Step, error) { return u.gate.Later(), nil }, h)
}

// gated takes a form through the gate. The form is there by then: who sends it
// slowly must not keep others out.
func (u *UI) gated(enter func() (admission.Step, error), h func(*visit) error) http.HandlerFunc {
	return u.parsed(func(w http.ResponseWriter, r *http.Request) {
		step, err := enter()
		if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
			u.turnAway(w, r, refused.After)
			return
		}
		served := false
		defer func() { step.End(served) }()
		served = u.handle(w, r, h)
	})
}

// turnAway asks to come later. It is counted and not logged: in a rush there are
// many.
func (u *UI) turnAway(w http.ResponseWriter, r *http.Request, after time.Duration) {
	l, n := langOf(r), strconv.Itoa(seconds(after))
	body := u.busy[l].with(r.PostForm.Get(fieldEmail), n)
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Retry-After", n)
	writePage(w, l, http.StatusServiceUnavailable, body)
}

// busyPage is the page for those who are turned away, rendered once: the address
// belongs before its rest, and the seconds between the parts of that.
type busyPage struct {
	begin string
	rest  []string
}

// What stands in the page for what is missing.
const (
	addressToCome = "address-to-come"
	secondsToCome = "seconds-to-come"
)

func (u *UI) newBusyPages() (map[lang]busyPage, error) {
	pages := map[lang]busyPage{}
	for _, l := range languages() {
		again := &retry{
			Path: pathFront, Post: true, Fields: []keyValue{{fieldLang, string(l)}, {fieldEmail, addressToCome}},
			Seconds: secondsToCome, Wait: u.voices[l].messages.text("unit.seconds", "n", secondsToCome),
		}
		body, err := u.bytes(l, "busy", page{Title: "busy.title", Path: pathFront, Retry: again})
		if err != nil {
			return nil, err
		}
		begin, rest, _ := strings.Cut(string(body), addressToCome)
		pages[l] = busyPage{begin, strings.Split(rest, secondsToCome)}
	}
	return pages, nil
}

// with is the page for one person.
func (p busyPage) with(address, seconds string) string {
	address = html.EscapeString(strings.ToValidUTF8(address, "\ufffd"))
	return p.begin + address + strings.Join(p.rest, seconds)
}
