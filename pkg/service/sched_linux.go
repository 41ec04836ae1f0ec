package service

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// executedBy has the process that has executed its program once more, so that none
// does it for ever where a policy or a slack is lost by it.
const executedBy = "MATRIQ_EXECUTED_BY"

// putInForce has Linux treat all threads of this process by policy, and wake those that
// sleep up to slack late; 0 leaves that as it is. A thread has both from the one that
// started it, and Go has started some before the first line of a program, of which one
// wakes most often of all. So they are set for one thread, and that executes the program
// once more: all of its threads come from it. Once they are in force, putInForce does
// nothing.
func putInForce(policy string, slack time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ruled, policyFailed := setPolicy(policy)
	slacked, slackFailed := setSlack(slack)
	failed := errors.Join(policyFailed, slackFailed)
	if !ruled && !slacked {
		return failed
	}
	process := strconv.Itoa(os.Getpid())
	if os.Getenv(executedBy) == process {
		return errors.Join(failed, errors.New("what was set for the program is lost when it is executed"))
	}
	program, err := os.Executable() // not /proc/self/exe, which would name the process "exe"
	if err == nil {
		err = os.Setenv(executedBy, process) // in the place of another process's, which would count
	}
	if err == nil {
		err = unix.Exec(program, os.Args, os.Environ())
	}
	return errors.Join(failed, fmt.Errorf("execute the program once more: %w", err))
}

// setPolicy tells whether the calling thread had another policy. Its niceness stays as
// it is.
func setPolicy(policy string) (changed bool, err error) {
	want := uint32(unix.SCHED_NORMAL)
	if policy == schedBatch {
		want = unix.SCHED_BATCH
	}
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy == want {
		return false, err
	}
	attr.Policy, attr.Priority = want, 0
	attr.Runtime = 0 // the slice that the kernel chooses
	if err := unix.SchedSetAttr(0, attr, 0); err != nil {
		return false, fmt.Errorf("set the policy: %w", err)
	}
	return true, nil
}

// setSlack tells whether the calling thread had another slack.
func setSlack(slack time.Duration) (changed bool, err error) {
	if slack == 0 {
		return false, nil
	}
	has, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || has == int(slack) {
		return false, err
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0); err != nil { //nolint:gosec // G115: it is not negative
		return false, fmt.Errorf("set the timer slack: %w", err)
	}
	return true, nil
}
