// Command matriq runs the whole registration in one process for whoever wants
// to see it, and has the operator's commands for one that runs elsewhere.
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
)

// command is one word after matriq.
type command struct {
	name, about string
	run         func(ctx context.Context, args []string, std stdio) error
}

// stdio is where a command writes: results to out, progress and faults to err.
type stdio struct{ out, err io.Writer }

func commands() []command {
	return append(suiteCommands(), []command{
		{"import", "list addresses as eligible, from a CSV or JSON file", importList},
		{"dlq", "look after the messages that could not be processed", dlq},
		{"unlock", "let an address ask for a code again", unlock},
		{"inbox", "take all mails and show them on a page, for trying a stack out", inbox},
		{"load", "load a registration that you run, and measure how it bears it", loadTest},
		{"plan", "reckon what a rush needs: mails, messages, processors, nodes", plan},
		{"topology", "print what the services declare at RabbitMQ", topology},
		{"version", "print the version", version},
	}...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back: a second one kills.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], stdio{out: os.Stdout, err: os.Stderr}))
}

// errUsage is a fault of the command line that has been explained already.
var errUsage = errors.New("usage")

// run returns the exit status: 0, 1 for a failure, 2 for a wrong command line.
func run(ctx context.Context, args []string, std stdio) int {
	if len(args) == 0 {
		usage(std.err)
		return 2
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(std.out)
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:], std)
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		}
		fmt.Fprintf(std.err, "matriq %s: %v\n", c.name, err)
		return 1
	}
	fmt.Fprintf(std.err, "matriq: there is no command %q\n\n", args[0])
	usage(std.err)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Matriq opens an online registration to a list of eligible e-mail addresses.\n\nUsage: matriq COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.about)
	}
	fmt.Fprint(w, "\nmatriq COMMAND --help tells more of each."+whereToStart+"\n")
}

// newFlags returns a flag set that explains itself with about and the flags.
func newFlags(name, about string, std stdio) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(std.err)
	flags.Usage = func() {
		fmt.Fprintf(std.err, "Usage: matriq %s\n\n%s\n\n", name, about)
		flags.VisitAll(func(f *flag.Flag) {
			value, text := flag.UnquoteUsage(f)
			fmt.Fprintf(std.err, "  --%s %s\n      %s", f.Name, value, text)
			if f.DefValue != "" && f.DefValue != "false" {
				fmt.Fprintf(std.err, " (default %s)", f.DefValue)
			}
			fmt.Fprintln(std.err)
		})
	}
	return flags
}

// parse reads args; a fault is explained by the flag set itself.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage
	}
	return err
}
