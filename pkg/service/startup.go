package service

import (
	"net/http"
	"slices"
	"sync/atomic"
)

// startup answers for a health check that kills whom it finds ill. A program
// that has never been ready may be a bad image or badly set, and is ill; one that
// has been is not made any better by a new start when a server that it needs has
// gone.
type startup struct {
	checks []Check
	passed atomic.Bool
}

func newStartup(checks []Check) *startup {
	return &startup{checks: slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.Foreign })}
}

// ServeHTTP implements [http.Handler].
func (s *startup) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.passed.Load() {
		report := ask(r.Context(), s.checks)
		if !report.Ready {
			writeJSON(w, report.status(), report)
			return
		}
		s.passed.Store(true)
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "started"})
}
