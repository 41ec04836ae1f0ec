package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matriq/bench/child"
	"matriq/pkg/load"
)

// RoleLoad is the people: it makes visits with package load.
const RoleLoad = "load"

// Crowd is the input of AskOpen for [RoleLoad].
type Crowd struct {
	// OTP, Register and UI are URLs, those of the gateways with the password.
	OTP, Register, UI string
	// Codes is where codes are asked for; "": every code is [StubCode].
	Codes string
	// People are how many there are, see [Email]; Offset is where they begin.
	People, Offset int
}

// Visits is the input of AskVisits: how people come. Its output is a [load.Result].
type Visits struct {
	// Plan is "rest" or "pages".
	Plan string `json:"plan"`
	// Users or Rate is set.
	Users int           `json:"users"`
	Rate  float64       `json:"rate"`
	For   time.Duration `json:"for"`
	// Patience is for how long people come again when they are told to.
	Patience time.Duration `json:"patience"`
	// Most is how many may be under way with Rate.
	Most int `json:"most"`
}

// AskVisits has people come.
const AskVisits = "visits"

// Plans of [Visits].
const (
	PlanREST  = "rest"
	PlanPages = "pages"
)

// Email is the address of a person by number.
func Email(i int) string { return fmt.Sprintf("student%07d@example.ac.th", i) }

// crowd is a role that has been opened.
type crowd struct {
	otp, register, ui *load.Site
	people            *load.People
	codes             load.Codes
}

func people(context.Context) map[string]child.Handler {
	c := &crowd{}
	return map[string]child.Handler{
		AskOpen: child.Answers(func(ctx context.Context, in Crowd) (done, error) { return done{}, c.open(ctx, in) }),
		AskVisits: child.Answers(func(ctx context.Context, v Visits) (*load.Result, error) {
			plan, err := c.plan(v)
			if err != nil {
				return nil, err
			}
			return load.Run(ctx, plan, load.Options{Users: v.Users, Rate: v.Rate, For: v.For, Most: v.Most})
		}),
	}
}

func (c *crowd) open(ctx context.Context, in Crowd) (err error) {
	for url, site := range map[string]**load.Site{in.OTP: &c.otp, in.Register: &c.register, in.UI: &c.ui} {
		if *site, err = load.NewSite(url); err != nil {
			return err
		}
	}
	emails := make([]string, in.People)
	for i := range emails {
		emails[i] = Email(in.Offset + i)
	}
	c.people = load.NewPeople(emails)
	if in.Codes == "" {
		c.codes = stubCodes{}
		return nil
	}
	c.codes, err = dialCodes(ctx, in.Codes)
	return err
}

// soon is when a code is asked for: at once, for the question waits by itself.
const soon = time.Microsecond

func (c *crowd) plan(v Visits) (load.Plan, error) {
	waiting, patience := load.Waiting{First: soon}, load.Patience(v.Patience)
	switch v.Plan {
	case PlanREST:
		return &load.REST{OTP: c.otp, Register: c.register, People: c.people, Codes: c.codes, Mail: waiting, Patience: patience}, nil
	case PlanPages:
		return &load.Journey{Site: c.ui, People: c.people, Codes: c.codes, Mail: waiting, Patience: patience}, nil
	}
	return nil, errors.New("there is no plan " + v.Plan)
}
