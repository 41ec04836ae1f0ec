package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"matriq/pkg/api/restapi"
)

// Crowd is the people, and what they were told. It outlives a run.
type Crowd struct {
	mu         sync.Mutex
	came       int
	again      []restapi.RegisterRequest // who comes once more, before all others
	registered map[int64]restapi.RegisterRequest
}

// NewCrowd returns one to whom nothing was told yet.
func NewCrowd() *Crowd { return &Crowd{registered: map[int64]restapi.RegisterRequest{}} }

// person is the i-th of the crowd, from 1.
func person(i int) restapi.RegisterRequest {
	return restapi.RegisterRequest{
		Email:     fmt.Sprintf("person%05d@example.ac.th", i),
		Firstname: "Malee" + letters(i), Lastname: "Jaidee" + letters(i),
	}
}

// letters writes a number so that it can be part of a name.
func letters(i int) string {
	return strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, fmt.Sprint(i))
}

// next is somebody who has not come yet, or who was forgotten.
func (c *Crowd) next() restapi.RegisterRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.again) > 0 {
		p := c.again[0]
		c.again = c.again[1:]
		return p
	}
	c.came++
	return person(c.came)
}

// told notes that p was told "registered".
func (c *Crowd) told(id int64, p restapi.RegisterRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registered[id] = p
}

// Told returns who was told "registered", by student ID.
func (c *Crowd) Told() map[int64]restapi.RegisterRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.registered)
}

// Forget is for a student whom the test has lost on purpose: what she was told
// does not count any more, and she is the next who comes.
func (c *Crowd) Forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.registered[id]; ok {
		delete(c.registered, id)
		c.again = append(c.again, p)
	}
}

// List makes the first n of the crowd eligible. Whoever is already, from a run
// before, stays so.
func (s *Site) List(ctx context.Context, n int) error {
	var csv bytes.Buffer
	csv.WriteString("email\n")
	for i := range n {
		csv.WriteString(person(i+1).Email + "\n")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.OTPGateway+restapi.PathImport, &csv)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/csv")
	var report restapi.ImportReply
	if err := s.ask(req, &report); err != nil {
		return err
	}
	if report.Added+report.Present != n {
		return fmt.Errorf("%d of %d listed", report.Added+report.Present, n)
	}
	return nil
}

// Progress tells how far a registration has come, outside of any count.
func (s *Site) Progress(ctx context.Context, id int64) (p restapi.ProgressReply, err error) {
	path := strings.Replace(restapi.PathProgress, "{studentID}", fmt.Sprint(id), 1)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.RegisterGateway+path, nil)
	if err != nil {
		return p, err
	}
	return p, s.ask(req, &p)
}

// ask sends a REST call outside of any count.
func (s *Site) ask(req *http.Request, reply any) error {
	req.SetBasicAuth(s.Name, s.Password)
	client := newClient(s, true, newCounter(false))
	defer client.CloseIdleConnections()
	a, err := client.send(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", req.Method, req.URL.Path, err, a.body)
	}
	return json.Unmarshal(a.body, reply)
}
