// Command measure measures what docs/capacity.md is made of, on this machine:
//
//	go run matriq/test/load/measure cost
//	go run matriq/test/load/measure replicas
//	go run matriq/test/load/measure serve
//
// cost has registrations made by REST and by the pages, in front of the seven
// services as processes of their own and private servers, and counts what one
// needs: calls, casts and events, commands at Redis, statements and commits at
// MariaDB, mails, and the processor time of every process. Processor time depends
// little on what else the machine does, unlike a rate.
//
// replicas gives every replica of a service a small quota of processor time
// (cgroups v1, as root), and measures how many registrations a second one, two and
// four replicas of each make, to see whether the model's sum holds.
//
// serve starts the same services, one replica each, prints where they are, and has
// them loaded by whatever tool until it is interrupted.
//
// The result is JSON on standard output; progress is on standard error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	journeys := flags.Int("journeys", 1000, "registrations that are counted, by REST and by the pages each")
	quota := flags.Int("quota", 4, "percent of a processor that a replica has")
	if len(args) == 0 {
		return errors.New("write measure cost, measure replicas or measure serve")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	var result any
	var err error
	switch args[0] {
	case "cost":
		result, err = measureCost(ctx, *journeys)
	case "replicas":
		result, err = measureReplicas(ctx, *quota)
	case "serve":
		return serve(ctx)
	default:
		return fmt.Errorf("%s: write cost, replicas or serve", args[0])
	}
	if err != nil {
		return err
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", " ")
	return e.Encode(result)
}
