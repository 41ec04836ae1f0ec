package service

import (
	"context"
	"log/slog"
	"time"
)

// The values of SCHED_POLICY, for Linux's SCHED_BATCH and SCHED_OTHER.
const (
	schedBatch = "batch"
	schedOther = "other"
)

// mostSlack bounds TIMER_SLACK: what a program does by its timers is late by that.
const mostSlack = 100 * time.Millisecond

// schedule puts SCHED_POLICY and TIMER_SLACK in force if args ask for a run. For
// that the process may execute its program once more, from the beginning.
func (p *Program) schedule(args, environ []string) {
	if commandOf(args) != commandRun {
		return
	}
	var c Common
	if faults := decode(environment(environ), &c); len(faults) > 0 {
		return // they are told of, and end the program
	}
	p.unscheduled = putInForce(c.Sched, c.Slack)
}

// tellUnscheduled warns of what is not in force. The program is as right without, so
// that it does its work all the same.
func (p Program) tellUnscheduled(ctx context.Context, env Env) {
	if p.unscheduled != nil {
		env.Log.WarnContext(ctx, "SCHED_POLICY or TIMER_SLACK is not in force: what runs this program does not allow it", slog.Any("error", p.unscheduled))
	}
}
