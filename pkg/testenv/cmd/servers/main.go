// Command servers runs a command with RabbitMQ, MariaDB and Redis beside it:
//
//	go run matriq/pkg/testenv/cmd/servers -- go test -race work
//
// It starts private instances, sets the variables that package testenv reads,
// runs the command, and ends with the command's exit code. When it is
// interrupted, or killed in whatever way, everything ends with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := dieWithParent(); err != nil {
		fail(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	code, err := run(ctx, args)
	if err != nil {
		fail(err)
	}
	os.Exit(code)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "servers:", err)
	os.Exit(1)
}

// run returns the exit code of the command, or why it was not run to its end.
func run(ctx context.Context, args []string) (code int, err error) {
	if len(args) == 0 {
		return 0, errors.New("name the command to run: servers -- go test work")
	}
	farm, err := open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, farm.close()) }()
	return farm.command(ctx, args)
}

// dieWithParent asks for SIGTERM when the parent ends: go run does not pass its
// own death on.
func dieWithParent() error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
