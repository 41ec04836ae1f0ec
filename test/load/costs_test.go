package load_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/cmd/matriq/capacity"
	"matriq/cmd/matriq/suite"
	"matriq/pkg/load"
	"matriq/pkg/testenv"
	"matriq/test/harness"
	"matriq/test/load/counters"
)

// people is how many register for a count.
const people = 40

// system is the suite on a Redis and a MariaDB of its own.
type system struct {
	cfg suite.Config
	t   *testing.T
}

func start(t *testing.T) *system {
	t.Helper()
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	s := &system{t: t, cfg: suite.Config{
		UI: listen(), OTP: listen(), Register: listen(), Inbox: listen(), Admin: listen(),
		Data: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Servers: suite.Servers{Redis: testenv.RedisServer(t).URL(), MySQL: testenv.MariaDBServer(t).URL()},
	}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- suite.Run(ctx, s.cfg, func(context.Context) error {
			close(ready)
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("suite ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("suite ended while it started: %v", err)
	}
	return s
}

func (s *system) url(l net.Listener) string { return "http://" + l.Addr().String() }

func (s *system) site(l net.Listener) *load.Site {
	s.t.Helper()
	site, err := load.NewSite("http://demo:demo@" + l.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	// Each visit comes from an address of its own: the limits are those of people.
	site.Connections, site.From = load.PerVisit, netip.MustParsePrefix("127.20.0.0/16")
	s.t.Cleanup(site.Close)
	return site
}

// register lists people and has them register, one after the other.
func (s *system) register(name string, plan func(*load.People) load.Plan) {
	s.t.Helper()
	gateways := harness.Gateways{OTP: s.url(s.cfg.OTP), Register: s.url(s.cfg.Register), Name: "demo", Password: "demo"}
	var emails []string
	for i := range people {
		emails = append(emails, fmt.Sprintf("%s%d@example.ac.th", name, i))
	}
	gateways.Import(s.t, emails...)
	res, err := load.Run(s.t.Context(), plan(load.NewPeople(emails)), load.Options{Users: 1, For: time.Minute})
	if err != nil {
		s.t.Fatal(err)
	}
	if res.Visits.Done != people {
		s.t.Fatalf("%+v came through, want %d: %+v", res.Visits, people, res.Errors)
	}
	s.finish()
}

// finish waits until everybody is enrolled, confirmed and taken off the list.
func (s *system) finish() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var now counters.Counters
	err := harness.Poll(ctx, func() bool {
		now = s.read()
		done := now["call student.insert"]
		for _, target := range []string{"enroll.insert", "email.send", "otp.retire"} {
			if now["done "+target] != done {
				return false
			}
		}
		return done > 0
	})
	if err != nil {
		s.t.Fatalf("not everything is done: %v", now)
	}
}

func (s *system) read() counters.Counters {
	s.t.Helper()
	c := counters.Counters{}
	for _, err := range []error{
		c.AddMetrics(s.t.Context(), s.url(s.cfg.Admin)+"/metrics"),
		c.AddRedis(s.t.Context(), s.cfg.Servers.Redis),
		c.AddMariaDB(s.t.Context(), s.cfg.Servers.MySQL),
	} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return c
}

// sum is of the counters whose names begin with a kind, for one person.
func sum(c counters.Counters, kind string) (n float64) {
	for name, value := range c {
		if strings.HasPrefix(name, kind+" ") {
			n += value
		}
	}
	return n / people
}

// One registration makes the messages that the model says, and no more work for
// the databases, when people come one after the other: what comes at once is
// grouped, and is less.
func TestCosts_AreTheModels(t *testing.T) {
	t.Parallel()
	s := start(t)
	box, err := load.NewInbox(s.url(s.cfg.Inbox))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	for way, plan := range map[string]func(*load.People) load.Plan{ //nolint:paralleltest // they count with the same counters
		capacity.ByREST: func(p *load.People) load.Plan {
			return &load.REST{OTP: s.site(s.cfg.OTP), Register: s.site(s.cfg.Register), People: p, Codes: box}
		},
		capacity.ByPages: func(p *load.People) load.Plan {
			site := s.site(s.cfg.UI)
			site.URL.User = nil
			return &load.Journey{Site: site, People: p, Codes: box}
		},
	} {
		t.Run(way, func(t *testing.T) {
			s.t = t
			s.register(strings.ReplaceAll(way, " ", ".")+".warm", plan)
			before := s.read()
			s.register(strings.ReplaceAll(way, " ", "."), plan)
			grown := s.read().Since(before)
			for _, name := range slices.Sorted(maps.Keys(grown)) {
				t.Logf("%-32s %6.2f", name, grown[name]/people)
			}
			delete(grown, "call otp.create_email_list") // the import
			want := capacity.Costs(way)
			// Who comes to the last page later than a second asks for the progress, which
			// only a machine that stood still makes anybody here.
			late := grown["call student.status"] / people
			for name, n := range map[string][2]float64{
				"calls": {sum(grown, "call") - late, want.Calls},
				"casts": {sum(grown, "cast"), want.Casts},
			} {
				if n[0] != n[1] || late > 0.2 {
					t.Errorf("%v %s a registration, and %v for progress: write them into the model, and run make docs; it says %v", n[0], name, late, n[1])
				}
			}
			// Those who come one right after the other share some.
			if got := sum(grown, "event"); got < 1 || got > want.Events {
				t.Errorf("%v events a registration: write them into the model, and run make docs; it says %v", got, want.Events)
			}
			// What the services ask by themselves meanwhile is in here too. The registration
			// has a commit of its own; the notes that end it take two, or share one.
			if got := grown["sql Com_commit"] / people; got < 1 || got > want.Commits+0.5 {
				t.Errorf("%.2f commits a registration: write them into the model, and run make docs; it says %v", got, want.Commits)
			}
			if got := sum(grown, "redis"); got < want.Redis*0.95 || got > want.Redis*1.05 {
				t.Errorf("%.2f commands at Redis a registration: write them into the model, and run make docs; it says %v", got, want.Redis)
			}
		})
	}
}
