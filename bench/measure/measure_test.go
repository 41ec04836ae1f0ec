package measure_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/bench/measure"
	"matriq/bench/procfs"
)

// plan takes this test's own process for the bench.
func plan(rounds int, pid int) measure.Plan {
	return measure.Plan{
		Rounds: rounds, Length: time.Millisecond, WarmUp: time.Microsecond, Repeats: 1,
		Names: func() procfs.Names { return procfs.Names{pid: "test"} },
		Say:   func(string) {},
	}
}

// order notes who ran, and lets each be as fast as it says.
func contender(name string, order *[]string, rates ...float64) measure.Contender {
	runs := 0
	return measure.Contender{Name: name, Run: func(_ context.Context, length time.Duration) (measure.Sample, error) {
		s := measure.Sample{Count: 10}
		if length == time.Microsecond {
			return s, nil
		}
		*order = append(*order, name)
		s.Add(measure.Rate, "/s", rates[runs])
		runs++
		return s, nil
	}}
}

func TestPlan_InterleavesAndJudges(t *testing.T) {
	t.Parallel()
	var order []string
	c := measure.Case{
		Name:       "a case",
		Contenders: []measure.Contender{contender("a", &order, 90, 40, 300), contender("b", &order, 100, 50, 100)},
		Targets:    []measure.Target{measure.Ratio(measure.Rate, "a", "b", false, 85), measure.Ratio(measure.Rate, "a", "b", true, 85)},
	}
	r, err := plan(3, 1).Measure(t.Context(), c) // everything descends from process 1: nothing is foreign
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abbaab" {
		t.Errorf("they ran as %s, want abbaab", got)
	}
	if got := r.Verdicts[0]; got.Got != 90 || !got.Reached || got.Refused != "" {
		t.Errorf("at least: %+v, want 90 %%, the median of 90, 80 and 300", got)
	}
	if r.Verdicts[1].Reached {
		t.Errorf("at most 85 is reached with %v", r.Verdicts[1].Got)
	}
	f, ok := r.Figure("a", measure.Rate)
	if !ok || f.Median != 90 || f.Min != 40 || f.Max != 300 || !slices.Equal(f.Rounds, []float64{90, 40, 300}) {
		t.Errorf("rate of a is %+v", f)
	}
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), "rate 90 /s (40 to 300)") {
		t.Errorf("the table, %v:\n%s", err, &table)
	}
}

// A machine that does other things as well gets no verdict.
func TestPlan_RefusesUnderForeignLoad(t *testing.T) {
	t.Parallel()
	busy := measure.Contender{Name: "busy", Run: func(context.Context, time.Duration) (measure.Sample, error) {
		for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); { //nolint:revive // it is to keep a core busy
		}
		return measure.Sample{Count: 1, Values: []measure.Value{{Name: measure.Rate, Number: 1}}}, nil
	}}
	c := measure.Case{
		Name: "disturbed", Contenders: []measure.Contender{busy},
		Targets: []measure.Target{measure.Absolute(measure.Rate, "busy", "/s", false, 1)},
	}
	nobody := -1 // so that this very process is foreign
	r, err := plan(1, nobody).Measure(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Disturbed != 1 || r.Verdicts[0].Refused == "" || r.Verdicts[0].Reached {
		t.Errorf("%d rounds were repeated, verdict %+v; want 1 and a refusal", r.Disturbed, r.Verdicts[0])
	}
}

func TestPlan_FailsWithItsContender(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, run := range map[string]func(context.Context, time.Duration) (measure.Sample, error){
		"error":   func(context.Context, time.Duration) (measure.Sample, error) { return measure.Sample{}, broken },
		"nothing": func(context.Context, time.Duration) (measure.Sample, error) { return measure.Sample{}, nil },
	} {
		c := measure.Case{Name: name, Contenders: []measure.Contender{{Name: "x", Run: run}}}
		if _, err := plan(1, os.Getpid()).Measure(t.Context(), c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTimed_Quantiles(t *testing.T) {
	t.Parallel()
	var latencies []time.Duration
	for i := 100; i > 0; i-- {
		latencies = append(latencies, time.Duration(i)*time.Millisecond)
	}
	s := measure.Timed(latencies, 3, 2*time.Second)
	want := []measure.Value{{Name: "rate", Unit: "/s", Number: 50}, {Name: "p50", Unit: "ms", Number: 51}, {Name: "p99", Unit: "ms", Number: 100}}
	if s.Count != 100 || s.Errors != 3 || !slices.Equal(s.Values, want) {
		t.Errorf("sample is %+v, want %+v", s, want)
	}
}

func TestThisMachine(t *testing.T) {
	t.Parallel()
	m, err := measure.ThisMachine()
	if err != nil || m.Cores < 1 || m.MemoryMB < 64 || m.Kernel == "" || m.Go == "" {
		t.Errorf("this machine is %+v, %v", m, err)
	}
}
