package admission_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/admission"
)

// What the gate is for: twice as many come as can be served.
func TestGate_TwiceTheCapacity(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		workers int
		takes   time.Duration
		later   int
	}{
		"one step":                {4, 20 * time.Millisecond, 0},
		"a way of four steps":     {4, 10 * time.Millisecond, 3},
		"a way on a fast machine": {8, 5 * time.Millisecond, 3},
		"a way on a slow machine": {2, 30 * time.Millisecond, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const length = time.Minute
				s := newServer(tc.workers, tc.takes, usual())
				s.gate = admission.New(admission.Options{Config: usual(), Steps: 1 + tc.later})
				capacity := float64(tc.workers) / tc.takes.Seconds() / float64(1+tc.later)
				began := time.Now()
				s.arrive(t, 2*capacity, length, tc.later)
				goodput := s.perSecond(began)
				if goodput < 0.9*capacity {
					t.Errorf("%.1f visits a second are done, of %.1f that could be", goodput, capacity)
				}
				if p99 := s.percentile(0.99); p99 > time.Second {
					t.Errorf("p99 of who was let in is %v", p99)
				}
				if s.slow > 0 {
					t.Errorf("somebody was turned away after %v", s.slow)
				}
				t.Logf("goodput %.1f of %.1f, p50 %v, p99 %v, %d turned away, told to come in %v at the end",
					goodput, capacity, s.percentile(0.5), s.percentile(0.99), len(s.refused), s.refused[len(s.refused)-1].after)
			})
		})
	}
}

// In a crowd a step takes some times what it takes among few, if that is known, and not
// all of the target: more would be served no sooner.
func TestGate_ShortWaitInACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, rate = 10 * time.Millisecond, 8 / 0.010
		s := newServer(8, takes, usual())
		s.arrive(t, rate/4, 10*time.Second, 0)
		s.arrive(t, 2*rate, 5*time.Second, 0) // until it is seen that it is a crowd
		s.forget()
		began := time.Now()
		s.arrive(t, 2*rate, time.Minute, 0)
		if goodput := s.perSecond(began); goodput < 0.9*rate {
			t.Errorf("%.1f steps a second are done, of %v that could be", goodput, rate)
		}
		if p99 := s.percentile(0.99); p99 > 10*takes {
			t.Errorf("p99 of who was let in is %v, with %v a step", p99, takes)
		}
	})
}

// Who is let in brings later steps a second afterwards: all who begin while there is room
// would come together again then.
func TestGate_PaceOfVisits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, visits, settled = 10 * time.Millisecond, 8 / 0.010 / 3, 20 * time.Second
		s := newServer(8, takes, usual())
		s.gate = admission.New(admission.Options{Config: usual(), Steps: 3})
		s.thinks = time.Second
		s.arrive(t, visits/4, 10*time.Second, 2)
		time.AfterFunc(settled, s.forget)
		began := time.Now().Add(settled)
		s.arrive(t, 2*visits, time.Minute, 2)
		if goodput := s.perSecond(began); goodput < 0.9*visits {
			t.Errorf("%.1f visits a second are done, of %.1f that could be", goodput, visits)
		}
		if p99 := s.percentile(0.99); p99 > 20*takes {
			t.Errorf("p99 of who was let in is %v, with %v a step", p99, takes)
		}
	})
}

// What a step takes among few may have changed when there are few again.
func TestGate_SlowMachineInACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(40, 10*time.Millisecond, usual())
		s.arrive(t, 1000, 10*time.Second, 0)
		s.arrive(t, 8000, 10*time.Second, 0)
		const takes = 200 * time.Millisecond // 20 times as long: 40 under way are 200 a second
		s.takes = takes
		s.forget()
		began := time.Now()
		s.arrive(t, 400, 5*time.Minute, 0)
		if goodput := s.perSecond(began); goodput < 0.9*200 {
			t.Errorf("%.1f steps a second are done, of 200 that could be", goodput)
		}
	})
}

// Nobody is turned away who can be served.
func TestGate_OpenBelowCapacity(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		workers int
		takes   time.Duration
		rate    float64 // visits of four steps
		length  time.Duration
	}{
		"nearly full":                {4, 10 * time.Millisecond, 90, 5 * time.Minute},
		"slow, and lightly used":     {100, 3 * time.Second, 0.8, 5 * time.Minute},
		"slow, and hardly ever used": {1, 3 * time.Second, 0.01, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServer(tc.workers, tc.takes, usual())
				s.arrive(t, tc.rate, tc.length, 3)
				if len(s.refused) > 0 {
					t.Errorf("%d were turned away, %d were not", len(s.refused), s.done)
				}
			})
		})
	}
}

// A machine may be slow without being full.
func TestGate_OpenBelowTheFloor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(24, 3*time.Second, usual())
		s.closedLoop(24, 5*time.Minute)
		if len(s.refused) > 0 || s.percentile(0) < 3*time.Second {
			t.Errorf("%d were turned away, with %v a step", len(s.refused), s.percentile(0))
		}
	})
}

// A disk that is slow for half a second now and then makes no smaller machine.
func TestGate_BearsStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1000, 200*time.Millisecond, usual())
		s.stalls = func(now time.Time) time.Duration {
			if now.Second()%4 == 0 && now.Nanosecond() < 5e8 {
				return 300 * time.Millisecond
			}
			return 0
		}
		s.arrive(t, 100, 2*time.Minute, 0)
		if part := float64(len(s.refused)) / float64(s.done+len(s.refused)); part > 0.045 {
			t.Errorf("%.1f %% were turned away", 100*part)
		}
	})
}

// People who come all at once, when the lesson is over, are let in.
func TestGate_BearsABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(4, 5*time.Millisecond, usual())
		for range 10 {
			var visits sync.WaitGroup
			for range 150 {
				visits.Go(func() { s.visit(0) })
			}
			visits.Wait()
			pause(time.Minute)
		}
		if len(s.refused) > 0 {
			t.Errorf("%d were turned away", len(s.refused))
		}
	})
}

// While the workers are away few wait for them, and the others are turned away;
// once they are back, everybody is served.
func TestGate_RecoversAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(4, 10*time.Millisecond, usual())
		s.away = make(chan struct{})
		back := time.Now().Add(10 * time.Second)
		time.AfterFunc(10*time.Second, func() { close(s.away) })
		s.arrive(t, 200, 20*time.Second, 0)
		late := 0
		for _, r := range s.refused {
			if r.at.After(back.Add(500 * time.Millisecond)) {
				late++
			}
		}
		if away := len(s.refused) - late; away < 1500 || late > 0 {
			t.Errorf("%d were turned away while the workers were away, %d later than half a second after that", away, late)
		}
	})
}

// Later steps are let in whatever there is, and leave the less room for first ones.
func TestGate_LaterStepsGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := admission.New(admission.Options{Config: usual()})
		steps := make([]admission.Step, 1000)
		for i := range steps {
			steps[i] = gate.Later()
		}
		pause(time.Second)
		if _, err := gate.First(); err == nil {
			t.Error("somebody may begin beside a thousand who cannot go on")
		}
		for _, s := range steps {
			s.End(true)
		}
		if _, err := gate.First(); err != nil {
			t.Errorf("nobody is there, and nobody may begin: %v", err)
		}
	})
}

// What fails at once says nothing of what can be served.
func TestGate_FailuresAreNoRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		metrics := prometheus.NewRegistry()
		gate := admission.New(admission.Options{Config: usual(), Service: "test", Metrics: metrics})
		for range 10_000 {
			step, err := gate.First()
			if err != nil {
				t.Fatal(err)
			}
			step.End(false)
		}
		if got := gaugeOf(t, metrics, "matriq_admission_limit"); got != 24 {
			t.Errorf("the limit is %v after failures alone, want the floor", got)
		}
	})
}

// Without a target everybody is let in.
func TestGate_Off(t *testing.T) {
	t.Parallel()
	gate := admission.New(admission.Options{Config: admission.Config{Floor: 1}})
	for range 10_000 {
		if _, err := gate.First(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGate_Metrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		metrics := prometheus.NewRegistry()
		gate := admission.New(admission.Options{Config: usual(), Service: "test", Metrics: metrics})
		for range 24 {
			gate.Later()
		}
		_, _ = gate.First() // the burst's patience begins
		pause(time.Second)
		_, err := gate.First()
		if err == nil {
			t.Fatal("the gate is open")
		}
		for name, want := range map[string]float64{
			"matriq_admission_under_way": 25, "matriq_admission_limit": 24, "matriq_admission_refused_total": 1,
		} {
			if got := gaugeOf(t, metrics, name); got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
	})
}

func TestConfig_Faults(t *testing.T) {
	t.Parallel()
	if faults := usual().Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	if faults := (admission.Config{Target: -1}).Faults(); len(faults) != 2 {
		t.Errorf("faults = %v, want two", faults)
	}
}

func BenchmarkGate(b *testing.B) {
	gate := admission.New(admission.Options{Config: usual()})
	b.ReportAllocs()
	for b.Loop() {
		step, err := gate.First()
		if err != nil {
			b.Fatal(err)
		}
		step.End(true)
	}
}

func gaugeOf(t *testing.T, metrics prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
