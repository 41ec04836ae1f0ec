package capacity_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"matriq/cmd/matriq/capacity"
)

// demand is one that the relay cannot take.
func demand() capacity.Demand {
	return capacity.Demand{
		Arrivals: 1000, For: time.Minute, MailRate: 200, Way: capacity.ByREST, Use: 0.5, NodeCores: 8, RetryAfter: 30 * time.Second,
	}
}

// The sums, by hand.
func TestReckon(t *testing.T) {
	t.Parallel()
	p := demand().Reckon()
	cores := 0.0
	for _, ms := range capacity.Costs(capacity.ByREST).CPU {
		cores += 1000 * ms / 1000 / 0.5
	}
	for name, n := range map[string][2]float64{
		"people":                   {p.People, 60_000},
		"mails of all":             {p.All.Mails, 2000},
		"messages of all":          {p.All.Messages, 1000 * (2*3 + 4 + 3)},
		"admitted":                 {p.Admitted.Rate, 100},
		"mails of the admitted":    {p.Admitted.Mails, 200},
		"seconds until all done":   {p.Done.Seconds(), 600},
		"waiting":                  {p.Waiting, 54_000},
		"pages":                    {p.Pages, 1000 + 54_000/30},
		"processors of all":        {p.All.TotalCores, cores},
		"nodes of all":             {float64(p.All.Nodes), math.Ceil(cores / 8)},
		"processors of the queues": {p.All.Cores["rabbitmq"], capacity.Costs(capacity.ByREST).CPU["rabbitmq"] * 2},
	} {
		if math.Abs(n[0]-n[1]) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, n[0], n[1])
		}
	}
}

// A relay that takes enough lets nobody wait.
func TestReckon_EnoughMail(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 2000, 1e9} {
		d := demand()
		d.MailRate = rate
		p := d.Reckon()
		if p.Waiting != 0 || p.Admitted.Rate != 1000 || p.Done != time.Minute {
			t.Errorf("with %v mails a second %v wait, %v are admitted, done after %v", rate, p.Waiting, p.Admitted.Rate, p.Done)
		}
	}
}

// Every program of a way is in the report.
func TestPrint_HasEveryProgram(t *testing.T) {
	t.Parallel()
	for _, way := range []string{capacity.ByREST, capacity.ByPages} {
		d := demand()
		d.Way = way
		var b strings.Builder
		d.Reckon().Print(&b)
		for program := range capacity.Costs(way).CPU {
			if !strings.Contains(b.String(), "processors: "+program+" ") {
				t.Errorf("%s: the report lacks %s:\n%s", way, program, b.String())
			}
		}
	}
}

func TestValidate_NamesEveryFault(t *testing.T) {
	t.Parallel()
	err := capacity.Demand{MailRate: -1, Use: 2}.Validate()
	for _, flag := range []string{"--arrivals", "--for", "--mail-rate", "--use", "--node-cores", "--retry-after", "--way"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v does not tell of %s", err, flag)
		}
	}
	if err := demand().Validate(); err != nil {
		t.Error(err)
	}
}
