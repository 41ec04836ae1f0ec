package service

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// setSchedPolicy has Linux schedule all threads of this process by policy, also those
// that start later: a thread has the policy of the one that started it.
func setSchedPolicy(policy string) error {
	want := uint32(unix.SCHED_NORMAL)
	if policy == schedBatch {
		want = unix.SCHED_BATCH
	}
	for {
		set, err := setSchedPolicies(want)
		if set == 0 || err != nil { // no thread had another, so none starts with another
			return err
		}
	}
}

// setSchedPolicies returns how many threads had another policy than want.
func setSchedPolicies(want uint32) (set int, err error) {
	const threads = "/proc/self/task"
	entries, err := os.ReadDir(threads)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			return set, fmt.Errorf("read %s: %w", threads, err)
		}
		switch changed, err := setThread(id, want); {
		case errors.Is(err, unix.ESRCH): // it has ended
		case err != nil:
			return set, fmt.Errorf("thread %d: %w", id, err)
		case changed:
			set++
		}
	}
	return set, nil
}

// setThread leaves the niceness of the thread as it is.
func setThread(id int, want uint32) (changed bool, err error) {
	attr, err := unix.SchedGetAttr(id, 0)
	if err != nil || attr.Policy == want {
		return false, err
	}
	attr.Policy, attr.Priority = want, 0
	attr.Runtime = 0 // the slice that the kernel chooses
	return true, unix.SchedSetAttr(id, attr, 0)
}
