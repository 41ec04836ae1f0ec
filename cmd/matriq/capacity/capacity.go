// Package capacity reckons what a rush needs: mails, messages, commits, commands
// and processors.
//
// The model is a sum. Every registration costs what [Costs] says; a rate of
// registrations costs that times the rate; processors are planned to be used to a
// part only, because those who wait grow without bound towards the whole. What can
// be admitted is what the mail relay takes, since nobody gets on without a code,
// and all others see a page that tells when to come again.
//
// Not in the model: TLS, which the edge does, the disks, the network, and what a
// program costs when it has nothing to do. That a cost stays the same at any rate
// and size is assumed; docs/capacity.md tells how to put it to the test.
package capacity

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Demand is a rush, and what there is against it.
type Demand struct {
	// Arrivals come each second for the time For.
	Arrivals float64
	For      time.Duration
	// MailRate is how many mails a second the relay takes; 0: any number.
	MailRate float64
	// Way is how people register.
	Way string
	// Use is the part of the processors that is planned to be used.
	Use float64
	// NodeCores is how many processors a node has.
	NodeCores int
	// RetryAfter is when those who are not admitted are told to come again.
	RetryAfter time.Duration
}

// Validate tells everything that is wrong, by the flags of matriq plan.
func (d Demand) Validate() error {
	var faults []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(d.Arrivals <= 0, "--arrivals %g: write how many people come in a second, such as 58000", d.Arrivals)
	refuse(d.For < time.Second, "--for %v: write for how long they come, such as 1m", d.For)
	refuse(d.MailRate < 0, "--mail-rate %g: write how many mails a second the relay takes, 0 for any number", d.MailRate)
	refuse(d.Use <= 0 || d.Use > 1, "--use %g: write the part of the processors that may be used, such as 0.6", d.Use)
	refuse(d.NodeCores <= 0, "--node-cores %d: write how many processors a node has", d.NodeCores)
	refuse(d.RetryAfter < time.Second, "--retry-after %v: write a time such as 60s", d.RetryAfter)
	_, known := costs()[d.Way]
	refuse(!known, "--way %s: write pages or rest", d.Way)
	return errors.Join(faults...)
}

// Need is what a rate of registrations needs each second.
type Need struct {
	Rate                                  float64
	Mails, Calls, Casts, Events, Messages float64
	Commits, Redis                        float64
	Cores                                 map[string]float64 // planned, by program
	TotalCores                            float64
	Nodes                                 int
}

// NeedOf reckons a rate.
func (d Demand) NeedOf(rate float64) Need {
	c := Costs(d.Way)
	n := Need{
		Rate: rate, Mails: rate * c.Mails, Calls: rate * c.Calls, Casts: rate * c.Casts, Events: rate * c.Events,
		Messages: rate * c.Messages(), Commits: rate * c.Commits, Redis: rate * c.Redis, Cores: map[string]float64{},
	}
	for program, ms := range c.CPU {
		cores := rate * ms / 1000 / d.Use
		n.Cores[program] = cores
		n.TotalCores += cores
	}
	n.Nodes = int(math.Ceil(n.TotalCores / float64(d.NodeCores)))
	return n
}

// Plan is what a demand comes to.
type Plan struct {
	Demand
	// People is how many come.
	People float64
	// All is what it takes to serve everybody as they come.
	All Need
	// Admitted is what it takes to serve as many as get their mails.
	Admitted Need
	// Done is how long it takes until everybody has registered.
	Done time.Duration
	// Waiting is the greatest number of people who have come and are not admitted.
	Waiting float64
	// Pages are the first pages and those that ask to come later, each second, that
	// those who wait make at most; PageCores is what they take.
	Pages, PageCores float64
}

// Reckon makes the plan of a demand.
func (d Demand) Reckon() Plan {
	p := Plan{Demand: d, People: d.Arrivals * d.For.Seconds(), All: d.NeedOf(d.Arrivals)}
	admitted := d.Arrivals
	if d.MailRate > 0 {
		admitted = min(admitted, d.MailRate/Costs(d.Way).Mails)
	}
	p.Admitted = d.NeedOf(admitted)
	p.Done = max(d.For, time.Duration(p.People/admitted*float64(time.Second)))
	p.Waiting = (d.Arrivals - admitted) * d.For.Seconds()
	p.Pages = d.Arrivals + p.Waiting/d.RetryAfter.Seconds()
	p.PageCores = p.Pages * firstPage / 1000 / d.Use
	return p
}
