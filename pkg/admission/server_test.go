package admission_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"matriq/pkg/admission"
)

// server has workers that serve one step after the other, in the order in which
// they came. It lives in a synctest bubble.
type server struct {
	gate    *admission.Gate
	workers chan struct{}
	takes   time.Duration                 // each step
	stalls  func(time.Time) time.Duration // how much longer a step takes; nil: no stalls
	away    chan struct{}                 // closed when the workers are back; nil: they are there
	thinks  time.Duration                 // before each later step

	mu      sync.Mutex
	done    int // visits
	refused []refusal
	slow    time.Duration   // the longest time that a refusal took
	steps   []time.Duration // of those who were let in
}

// refusal is when somebody was turned away, and what they were told.
type refusal struct {
	at    time.Time
	after time.Duration
}

func newServer(workers int, takes time.Duration, cfg admission.Config) *server {
	return &server{
		gate:    admission.New(admission.Options{Config: cfg, Service: "test"}),
		workers: make(chan struct{}, workers), takes: takes,
	}
}

func usual() admission.Config { return admission.Config{Target: 300 * time.Millisecond, Floor: 24} }

// visit is a first step and as many later ones.
func (s *server) visit(later int) {
	began := time.Now()
	step, err := s.gate.First()
	if told, ok := errors.AsType[*admission.RefusedError](err); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refused = append(s.refused, refusal{at: began, after: told.After})
		s.slow = max(s.slow, time.Since(began))
		return
	}
	s.serve(step)
	for range later {
		pause(s.thinks)
		s.serve(s.gate.Later())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
}

func (s *server) serve(step admission.Step) {
	began := time.Now()
	s.workers <- struct{}{}
	if s.away != nil {
		<-s.away
	}
	takes := s.takes
	if s.stalls != nil {
		takes += s.stalls(began)
	}
	pause(takes)
	<-s.workers
	step.End(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, time.Since(began))
}

// arrive has people come at a rate, as people do: at random.
func (s *server) arrive(t *testing.T, rate float64, length time.Duration, later int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same people each time
	var visits sync.WaitGroup
	defer visits.Wait()
	for end := time.Now().Add(length); time.Now().Before(end); {
		visits.Go(func() { s.visit(later) })
		pause(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
	}
}

// closedLoop has people make one visit of a step after the other.
func (s *server) closedLoop(people int, length time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
	end := time.Now().Add(length)
	for range people {
		all.Go(func() {
			for time.Now().Before(end) {
				s.visit(0)
			}
		})
	}
}

// pause waits by the clock of the bubble.
func pause(d time.Duration) { <-time.After(d) }

// percentile of the steps.
func (s *server) percentile(p float64) time.Duration {
	slices.Sort(s.steps)
	return s.steps[int(p*float64(len(s.steps)-1))]
}

// forget begins the counts anew.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps, s.done = nil, 0
}

// perSecond is how many visits were done in a second since a time.
func (s *server) perSecond(since time.Time) float64 {
	return float64(s.done) / time.Since(since).Seconds()
}
