// Package load is people in front of a stack. It walks through whole
// registrations, by the pages and by REST in turn, asks for the first page
// besides, all at a steady rate, and keeps count of every request.
//
// A client does what a browser or a REST client does, and no more: it keeps
// cookies, follows redirects, keeps connections open, and tries the next address
// of the site where one does not take the connection. What was sent is not sent
// again. Of this there is one exception, for what is allowed to ask for patience:
// with [Plan.Patient] an answer of 503 or 429 that carries Retry-After is obeyed
// and does not count as failed.
//
// A failure is any other answer than the one that a registration leads to, none
// within 30 seconds, and a mail that does not come.
package load

import (
	"context"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// Site is where the people find what they use.
type Site struct {
	// Origin has scheme, host and port of the pages.
	Origin string
	// OTPGateway and RegisterGateway are what the paths of the REST calls are put
	// behind.
	OTPGateway, RegisterGateway string
	// Name and Password are the REST client's.
	Name, Password string
	Inbox          harness.Inbox
	// Addresses are what the site's name stands for. None: the host of each URL is
	// asked.
	Addresses []string
	// Roots are the authorities that are believed; nil: those of this machine.
	Roots *x509.CertPool

	turn atomic.Uint64 // which address is tried first
}

// Plan is how many come, and how they behave.
type Plan struct {
	// Journeys and Singles are arrivals in a second: of people who register, and
	// of requests for the first page. A journey by the pages is about nine
	// requests, one by REST about five.
	Journeys, Singles float64
	// Patient people come again when they are told to.
	Patient bool
	// Fresh clients open a connection for each request.
	Fresh bool
	// RESTOnly people do without the pages.
	RESTOnly bool
}

// Usual is about fifty requests in a second, of all kinds.
func Usual() Plan { return Plan{Journeys: 2, Singles: 36} }

// Limits of a run, whatever its plan says.
const (
	mostAtATime  = 500
	longestRun   = 15 * time.Minute
	finishWithin = 2 * time.Minute
	patientUntil = 20 * time.Second // when no more people come
)

// Run is load that is under way.
type Run struct {
	site   *Site
	plan   Plan
	crowd  *Crowd
	count  *counter
	kept   *client       // keeps its connections, for all who have no browser
	fresh  *client       // opens one for each request
	places chan struct{} // one for each who is under way

	arrivals, people sync.WaitGroup
	close            context.CancelFunc // no more arrivals
	leave            context.CancelFunc // everybody goes
}

// Start lets people come until [Run.Stop], at most for a quarter of an hour.
func Start(ctx context.Context, site *Site, crowd *Crowd, plan Plan) *Run {
	count := newCounter(plan.Patient)
	r := &Run{
		site: site, plan: plan, crowd: crowd, count: count,
		kept: newClient(site, plan.Fresh, count), fresh: newClient(site, true, count),
		places: make(chan struct{}, mostAtATime),
	}
	people, leave := context.WithCancel(ctx)
	open, closeDoors := context.WithTimeout(people, longestRun)
	r.leave, r.close = leave, closeDoors
	r.arrivals.Go(func() { r.arrive(open, plan.Journeys, func(i int) { r.journey(people, i) }) })
	r.arrivals.Go(func() { r.arrive(open, plan.Singles, func(i int) { r.single(people, i) }) })
	return r
}

// Stop lets nobody in any more, waits until those inside are through, and
// reports. Who is not through after two minutes counts as failed; patient people
// may have lost their way, and leave sooner.
func (r *Run) Stop() Report {
	r.close()
	r.arrivals.Wait()
	patience := finishWithin
	if r.plan.Patient {
		patience = patientUntil
	}
	late := time.AfterFunc(patience, r.leave)
	r.people.Wait()
	late.Stop()
	r.leave()
	r.kept.CloseIdleConnections()
	return r.count.report()
}

// SoFar reports while the run goes on.
func (r *Run) SoFar() Report { return r.count.report() }

// arrive calls come at a rate, until ctx ends.
func (r *Run) arrive(ctx context.Context, rate float64, come func(i int)) {
	if rate <= 0 {
		return
	}
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case <-ctx.Done():
			return
		case r.places <- struct{}{}:
		}
		r.people.Go(func() {
			defer func() { <-r.places }()
			come(i)
		})
	}
}

// journey registers one person, by the pages and by REST in turn.
func (r *Run) journey(ctx context.Context, i int) {
	p := r.crowd.next()
	if r.plan.RESTOnly || i%2 == 1 {
		r.note(p, (&program{run: r, person: p}).register(ctx))
		return
	}
	b := newBrowser(r, p)
	defer b.close()
	r.note(p, b.register(ctx))
}

func (r *Run) note(p restapi.RegisterRequest, err error) {
	if err != nil {
		r.count.gaveUp(p.Email, err)
		return
	}
	r.count.finished()
}

// single asks for the first page, over a connection that is kept and over a new
// one in turn.
func (r *Run) single(ctx context.Context, i int) {
	c := r.kept
	if i%2 == 1 {
		c = r.fresh
	}
	_, _ = c.get(ctx, r.site.Origin+"/") // it is counted
}

// First asks for the first page over a new connection, and returns who served it
// and what it is.
func (r *Run) First(ctx context.Context) (replica string, body []byte, err error) {
	a, err := r.fresh.get(ctx, r.site.Origin+"/")
	if err != nil {
		return "", nil, err
	}
	return a.Header.Get("X-Served-By"), a.body, nil
}

// Get asks for what a page links to.
func (r *Run) Get(ctx context.Context, link string) ([]byte, error) {
	a, err := r.kept.get(ctx, r.site.Origin+link)
	return a.body, err
}
