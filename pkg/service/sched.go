package service

import (
	"context"
	"log/slog"
)

// The values of SCHED_POLICY, for Linux's SCHED_BATCH and SCHED_OTHER.
const (
	schedBatch = "batch"
	schedOther = "other"
)

// schedule puts SCHED_POLICY in force. A program by another policy is as right, so a
// failure does not keep it from its work.
func (e Env) schedule(ctx context.Context) {
	if len(e.faults) > 0 {
		return // they are told of, and end the program
	}
	if err := setSchedPolicy(e.common.Sched); err != nil {
		e.Log.WarnContext(ctx, "SCHED_POLICY is not in force: what runs this program does not allow it", slog.Any("error", err))
	}
}
