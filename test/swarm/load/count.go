package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// told is how many failures are told in full.
const told = 8

// Report is what became of a run.
type Report struct {
	// Requests counts every one that was sent, each step of a redirect too.
	Requests int
	// Failed counts requests and journeys that failed; Failures has the first.
	Failed   int
	Failures []Failure
	// Later counts answers that asked patient people to come again, and Left the
	// patient people who went without an end.
	Later, Left int
	// Registered counts journeys that were told everything is done.
	Registered int
	// Took is how long the run was, and Gap the longest time in it without any
	// good answer.
	Took, Gap time.Duration
}

// Plus is both reports together, one after the other.
func (r Report) Plus(o Report) Report {
	r.Requests += o.Requests
	r.Failed += o.Failed
	r.Failures = append(r.Failures, o.Failures...)
	r.Later += o.Later
	r.Left += o.Left
	r.Registered += o.Registered
	r.Took += o.Took
	r.Gap = max(r.Gap, o.Gap)
	return r
}

// Failure is one that was noticed.
type Failure struct {
	After time.Duration // since the start of the run
	What  string
}

func (f Failure) String() string { return fmt.Sprintf("%6.1f s  %s", f.After.Seconds(), f.What) }

// counter keeps count for the clients of a run.
type counter struct {
	patient bool
	began   time.Time

	mu       sync.Mutex
	sum      Report
	lastGood time.Time
}

func newCounter(patient bool) *counter {
	now := time.Now()
	return &counter{patient: patient, began: now, lastGood: now}
}

// answered counts an answer.
func (c *counter) answered(req *http.Request, res *http.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Requests++
	switch {
	case res.StatusCode < http.StatusBadRequest:
		c.good()
	case c.later(res):
		c.sum.Later++
	default:
		c.failed("%s %s: %d %s", req.Method, req.URL.Path, res.StatusCode, res.Header.Get("X-Served-By"))
	}
}

// later is true for an answer that a patient person obeys.
func (c *counter) later(res *http.Response) bool {
	if !c.patient {
		return false
	}
	switch res.StatusCode {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusConflict:
		return res.Header.Get("Retry-After") != ""
	}
	return false
}

// broken counts a request without an answer. Whoever goes at the end of a run
// takes requests along that are nobody's failure.
func (c *counter) broken(req *http.Request, err error) {
	if errors.Is(req.Context().Err(), context.Canceled) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Requests++
	c.failed("%s %s: %v", req.Method, req.URL.Path, err)
}

// gaveUp counts a person who did not come through. What a request has told is
// not told twice.
func (c *counter) gaveUp(email string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, errCounted):
	case c.patient:
		c.sum.Left++
	default:
		c.failed("%s: %v", email, err)
	}
}

func (c *counter) finished() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Registered++
}

func (c *counter) good() {
	now := time.Now()
	c.sum.Gap = max(c.sum.Gap, now.Sub(c.lastGood))
	c.lastGood = now
}

func (c *counter) failed(format string, args ...any) {
	c.sum.Failed++
	if len(c.sum.Failures) < told {
		c.sum.Failures = append(c.sum.Failures, Failure{After: time.Since(c.began), What: fmt.Sprintf(format, args...)})
	}
}

func (c *counter) report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Took = time.Since(c.began)
	return c.sum
}
