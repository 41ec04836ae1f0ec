// Command bench measures Matriq against the bare limit of what it stands on, on
// this machine, and says whether the targets are reached.
//
// See docs/bench.md for how the numbers are made, and --help for how to ask.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"matriq/bench/child"
	"matriq/bench/peer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit status: 0, 1 for a failure or a missed target with
// --strict, 2 for a wrong command line.
func run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	if len(args) > 0 && args[0] == child.Argument {
		return failed(err, peer.Serve(ctx, args[1:], in, out))
	}
	o, fault := parse(args, err)
	switch {
	case errors.Is(fault, flag.ErrHelp):
		return 0
	case fault != nil:
		return 2
	}
	return failed(err, o.measure(ctx, out, err))
}

func failed(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(w, "bench:", err)
	return 1
}
