package ui

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// page is what a template shows.
type page struct {
	// Title is the key of the heading.
	Title string
	// Path is where the switch of the language leads.
	Path    string
	Step    step
	Journey journey
	Faults  []fault
	// Progress is for the last page alone.
	Progress progress
	// Ended is for the first page alone.
	Ended bool
	// Retry is for the page that asks for patience.
	Retry *retry
	// Text is the key of an error page's text.
	Text string
	// RequestID finds an error in the logs.
	RequestID string
}

// Fault is the fault of one input, nil if there is none.
func (p page) Fault(field string) *fault {
	i := slices.IndexFunc(p.Faults, func(f fault) bool { return f.Field == field })
	if i < 0 {
		return nil
	}
	return &p.Faults[i]
}

// First tells whether field is the first one in error: it gets the focus.
func (p page) First(field string) bool {
	for _, f := range p.Faults {
		if f.Field != "" {
			return f.Field == field
		}
	}
	return false
}

// Bare is true for pages that belong to no step.
func (p page) Bare() bool { return p.Retry != nil || p.Text != "" }

// Steps are the four of the list above the page.
func (page) Steps() []step { return []step{stepAddress, stepCode, stepNames, stepDone} }

// noticeRegistered in the last page's query tells it that the registration was
// answered just now.
const noticeRegistered = "registered"

// firstMoment is how long nothing that follows a registration is expected to be
// done.
const firstMoment = time.Second

// followTimeout is short: the page says enough without the progress.
const followTimeout = 3 * time.Second

// progress is how far a registration has come.
type progress struct {
	StudentID                     int64
	Email                         string
	Registered, Enrolled, Emailed bool
}

// Complete is true when there is nothing more to wait for.
func (p progress) Complete() bool { return p.Registered && p.Enrolled && p.Emailed }

// journeyPage is the page of a step that is shown under one path alone, by the name of
// its template; others have no title.
func journeyPage(name string) page {
	switch name {
	case "code":
		return page{Title: "code.title", Path: pathCode, Step: stepCode}
	case "names":
		return page{Title: "names.title", Path: pathNames, Step: stepNames}
	case "done":
		return page{Title: "done.title", Path: pathDone, Step: stepDone}
	}
	return page{}
}

// showStart serves GET /start: the first page with what the session remembers.
// Whoever is further may come back to it, to use another address.
func (u *UI) showStart(v *visit) error {
	if !v.session.found {
		v.toFront()
		return nil
	}
	return u.show(v, "start", page{Title: "start.title", Path: pathStart, Step: stepAddress})
}

// showCode serves GET /authen.
func (u *UI) showCode(v *visit) error {
	return u.at(v, "code", journeyPage("code"))
}

// showNames serves GET /reg.
func (u *UI) showNames(v *visit) error {
	return u.at(v, "names", journeyPage("names"))
}

// showDone serves GET /done. The page to which the answer of the names leads asks
// nobody, as the progress can be known without; a link, the script, a page that
// loads itself again and whoever reloads it later ask.
func (u *UI) showDone(v *visit) error {
	p := journeyPage("done")
	switch {
	case v.journey.step() != stepDone: // led away
	case v.r.URL.Query().Has(noticeRegistered) && v.journey.justRegistered(time.Now()):
		p.Progress = v.journey.begun()
	default:
		p.Progress = u.follow(v)
	}
	return u.at(v, "done", p)
}

// justRegistered is true for the first moment after the registration was answered.
// The clocks of two replicas may differ: one that is far behind must not take the
// moment for longer.
func (j journey) justRegistered(now time.Time) bool {
	return now.Sub(j.Registered).Abs() < firstMoment
}

// begun is the progress as the session itself knows it.
func (j journey) begun() progress {
	return progress{StudentID: j.StudentID, Email: j.Verified, Registered: true}
}

// showProgress serves GET /done/progress: the part of the last page that
// changes, for its script.
func (u *UI) showProgress(v *visit) error {
	if v.journey.step() != stepDone {
		u.tell(v.w, v.r, problemNotFound)
		return nil
	}
	return u.render(v.w, v.lang, http.StatusOK, "progress", page{Progress: u.follow(v)})
}

// at shows the page of one step to those who are there, and leads the others.
func (u *UI) at(v *visit, name string, p page) error {
	if !v.session.found {
		v.toFront()
		return nil
	}
	if v.journey.step() != p.Step {
		v.toStep()
		return nil
	}
	return u.show(v, name, p)
}

func (u *UI) show(v *visit, name string, p page) error {
	p.Journey = v.journey
	p.Faults = v.journey.faultsAt(p.Step, time.Now())
	return u.render(v.w, v.lang, http.StatusOK, name, p)
}

// follow asks how far the registration is. What cannot be asked now shows as
// pending: the ID alone proves the registration.
func (u *UI) follow(v *visit) progress {
	p := v.journey.begun()
	ctx, cancel := context.WithTimeout(v.r.Context(), followTimeout)
	defer cancel()
	reply, err := u.gateways.progress(ctx, v.who(), v.journey.StudentID)
	if err != nil {
		if v.r.Context().Err() == nil {
			u.log.WarnContext(v.r.Context(), "progress is not known", slog.Any("error", err))
		}
		return p
	}
	p.Enrolled, p.Emailed = reply.Enrolled != nil, reply.Emailed != nil
	return p
}
