package chaos_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	people = 500
	// arrival is such that the last ones come when each kind has been killed.
	arrival = 50 * time.Millisecond
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
		client := newClient()
		crowd := newCrowd(people, func(i int) *person { return newPerson(s.gateways(), s.mail, client, i) })
		s.list(t, crowd)

		k := newKiller(t, seed, deck(), victims)
		began := time.Now()
		crowd.come(t.Context(), arrival, (*person).register)
		k.rage(t.Context(), crowd.done)
		calm := time.Now()
		s.waitReady(t)
		crowd.check(t)
		client.check(t)
		k.check(t)
		ledger := newLedger(t, s)
		ledger.settle(t)
		settled := time.Now()
		ledger.check(t, crowd.told)
		s.servers.checkParked(t)
		again := checkTwice(t, s.mail, s.replicas["email"])
		t.Logf("%d of %d told 200 in %v, settled after another %v", len(crowd.told), people, round(calm.Sub(began)), round(settled.Sub(calm)))
		t.Logf("kills: %s", tally(k.kills))
		t.Logf("answers: %s", tally(client.answers))
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
