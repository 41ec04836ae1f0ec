package chaos_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

const (
	people      = 500
	concurrency = 48
	// arrival is the pause between two people who come, so that the last ones
	// come when each kind has been killed.
	arrival = 50 * time.Millisecond
	// patience is how long people try, from the first one's arrival.
	patience = 100 * time.Second
)

// deck is how often each kind is killed in one round. A round takes 18 s, in
// which a broker has the time to come back.
func deck() map[string]int {
	cards := map[string]int{kindBroker: 1, kindMaria: 2, kindRedis: 3}
	for _, service := range services() {
		cards[service] = 9
	}
	return cards
}

// 500 people register while, every 300 ms, a process of a service, the broker,
// the database or Redis is killed. Whoever was told of a registration has it,
// and everybody who has one has all of it, once.
func TestRegistration_Chaos(t *testing.T) { //nolint:paralleltest // one seed at a time: the machine is full
	eachSeed(t, func(t *testing.T, seed uint64) {
		s := startSystem(t)
		victims := s.victims(t)
		s.waitReady(t)
		s.servers.settle(t)
		crowd := newCrowd(s)
		crowd.list(t)

		k := newKiller(t, seed, deck(), victims)
		began := time.Now()
		crowd.come(t.Context())
		k.rage(t.Context(), crowd.done)
		calm := time.Now()
		s.waitReady(t)
		crowd.check(t)
		k.check(t)
		ledger := newLedger(t, s)
		ledger.settle(t)
		settled := time.Now()
		ledger.check(t, crowd.told)
		again := checkTwice(t, s.mail, s.replicas["email"])
		t.Logf("%d of %d told 200 in %v, settled after another %v", len(crowd.told), people, round(calm.Sub(began)), round(settled.Sub(calm)))
		t.Logf("kills: %s", tally(k.kills))
		t.Logf("answers: %s", tally(crowd.client.answers))
		t.Logf("mails: %d, %d of them again after a worker died", s.mail.Count(), again)
	})
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

// tally writes counts in the order of their names.
func tally(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

// crowd is the people and what they were told.
type crowd struct {
	people []*person
	client *client
	system *system
	done   chan struct{} // closed when nobody tries any more

	mu   sync.Mutex
	told map[*person]int64
}

func newCrowd(s *system) *crowd {
	c := &crowd{client: newClient(), system: s, done: make(chan struct{}), told: map[*person]int64{}}
	for i := range people {
		c.people = append(c.people, newPerson(s, c.client, i+1))
	}
	return c
}

// list makes everybody eligible.
func (c *crowd) list(t *testing.T) {
	t.Helper()
	var all []string
	for _, p := range c.people {
		all = append(all, p.Email)
	}
	g := harness.Gateways{OTP: "http://" + c.system.addrs("otp-gateway")[0], Name: clientName, Password: clientPassword}
	var report restapi.ImportReply
	g.PostJSON(t, g.OTP+restapi.PathImport, restapi.ImportRequest{Emails: all}).Into(t, &report)
	if report.Added != people {
		t.Fatalf("import of %d: %+v", people, report)
	}
}

// come lets people come one after the other, some at a time.
func (c *crowd) come(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	queue := make(chan *person)
	var trying sync.WaitGroup
	for range concurrency {
		trying.Go(func() {
			for p := range queue {
				c.register(ctx, p)
			}
		})
	}
	go func() {
		for _, p := range c.people {
			queue <- p
			pause(ctx, arrival)
		}
		close(queue)
		trying.Wait()
		cancel()
		close(c.done)
	}()
}

func (c *crowd) register(ctx context.Context, p *person) {
	id, err := p.register(ctx)
	if err != nil {
		return // she is missed in check
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[p] = id
}

// check fails the test for who was not told, and for answers that chaos does not
// excuse.
func (c *crowd) check(t *testing.T) {
	t.Helper()
	for _, p := range c.people {
		if c.told[p] == 0 {
			t.Errorf("%s was not told of a registration within %v; at last: %s", p.Email, patience, p.lastTrial)
		}
	}
	for _, line := range c.client.strange {
		t.Errorf("strange answer: %s", line)
	}
}
