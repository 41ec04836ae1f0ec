// Package service is what every program of the suite starts with: commands,
// settings, logs, metrics, traces, health, and an orderly stop.
//
// A program's main is one call of [Main]. Its run function reads the settings
// with [Env.Decode], opens what it needs and hands its parts to [Env.Serve],
// which runs them until SIGTERM or SIGINT, or until one fails.
//
// Settings come from the environment alone and are read once. NAME_FILE names a
// file that holds the value of NAME, as a Swarm secret does.
//
// Not promised: that what a program depends on is there when it starts. Parts
// wait for it, and /readyz tells what they wait for.
package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Program is one executable.
type Program struct {
	// Name is the service's name: "otp".
	Name string
	// About is one sentence for the help.
	About string
	// Config is the zero value of the struct that Run decodes; the help lists
	// its settings. Nil: none.
	Config any
	// Run runs the program until ctx ends.
	Run func(ctx context.Context, env Env) error

	unscheduled error // why SCHED_POLICY or TIMER_SLACK is not in force
}

// Exit codes of a program.
const (
	exitOK     = 0
	exitFailed = 1 // it ran and failed, or is not healthy
	exitUsage  = 2 // it was not asked properly: arguments or settings
)

// Main is the whole of a program's main function. It does not return.
//
// The first SIGTERM or SIGINT asks for an orderly stop, the second one kills.
func Main(p Program) {
	p.schedule(os.Args[1:], os.Environ())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(p.Execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// Execute runs the command that args name until ctx ends and returns the exit
// code. environ has the form of [os.Environ].
func (p Program) Execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	vars := environment(environ)
	switch command := commandOf(args); {
	case len(args) > 1:
		return p.misused(stderr, "one command at most, and no arguments")
	case command == commandRun:
		return p.run(ctx, vars, stderr)
	case command == "healthcheck":
		return p.healthcheck(ctx, vars, stdout, stderr)
	case command == "version":
		return p.printVersion(stdout)
	case command == "help", command == "--help", command == "-h":
		return p.help(stdout)
	default:
		return p.misused(stderr, "no command "+command)
	}
}

const commandRun = "run"

// commandOf is the first of args, or to run.
func commandOf(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return commandRun
}

// run is the only place where a failure of the program is logged.
func (p Program) run(ctx context.Context, vars map[string]string, stderr io.Writer) int {
	env := NewEnv(p.Name, vars, newLogger(stderr, vars))
	env.Metrics.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newBuildInfo(env.Version),
	)
	p.tellUnscheduled(ctx, env)
	err := p.traced(ctx, env)
	if faults, ok := errors.AsType[Faults](err); ok {
		faults.log(ctx, env.Log)
		return exitUsage
	}
	if err != nil {
		env.Log.ErrorContext(ctx, "stopped by a failure", slog.Any("error", err))
		return exitFailed
	}
	env.Log.InfoContext(ctx, "stopped")
	return exitOK
}

func (p Program) traced(ctx context.Context, env Env) error {
	if len(env.faults) == 0 { // else Run meets them, beside those of its own settings
		stop, err := env.Trace(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	env.Log.InfoContext(ctx, "starting")
	return p.Run(ctx, env)
}
