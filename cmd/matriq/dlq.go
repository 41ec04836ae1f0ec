package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"matriq/pkg/rpc"
)

const dlqAbout = `Looks after parked messages: casts and events that failed at every attempt, or
that no attempt could mend. They wait until somebody decides.

  matriq dlq ls                      how many are parked, by service
  matriq dlq ls SERVICE              the parked messages of a service
  matriq dlq show SERVICE ID         one message, whole, as JSON
  matriq dlq replay SERVICE ID|all   give it back, with all attempts before it
  matriq dlq drop SERVICE ID         delete it

SERVICE is the first part of a method's name: otp, email_otp, email, student or
enroll. A replayed message keeps its key, so what it did before is not done
twice. Parked messages may hold names and addresses: mind who reads the screen.`

// parkedServices are the services whose casts and events can be parked.
func parkedServices() []string { return []string{"otp", "email_otp", "email", "student", "enroll"} }

// dlq is matriq dlq.
func dlq(ctx context.Context, args []string, std stdio) error {
	flags := newFlags("dlq [flags] ls|show|replay|drop [SERVICE [ID]]", dlqAbout, std)
	url := brokerFlag(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	run, ok := dlqCommand(flags)
	if !ok {
		flags.Usage()
		return errUsage
	}
	return withBroker(ctx, *url, std, func(ctx context.Context, conn *rpc.Conn) error { return run(ctx, conn, std.out) })
}

// dlqCommand reads the words after the flags; ok is false when they are wrong.
func dlqCommand(flags *flag.FlagSet) (run func(context.Context, *rpc.Conn, io.Writer) error, ok bool) {
	service, id := flags.Arg(1), flags.Arg(2)
	switch command := flags.Arg(0); {
	case command == "ls" && flags.NArg() == 1:
		return countParked, true
	case command == "ls" && flags.NArg() == 2:
		return func(ctx context.Context, c *rpc.Conn, w io.Writer) error { return listParked(ctx, c, w, service) }, true
	case command == "show" && flags.NArg() == 3:
		return func(ctx context.Context, c *rpc.Conn, w io.Writer) error { return showParked(ctx, c, w, service, id) }, true
	case command == "replay" && flags.NArg() == 3:
		return func(ctx context.Context, c *rpc.Conn, w io.Writer) error { return replay(ctx, c, w, service, id) }, true
	case command == "drop" && flags.NArg() == 3:
		return func(ctx context.Context, c *rpc.Conn, w io.Writer) error { return drop(ctx, c, w, service, id) }, true
	}
	return nil, false
}

func countParked(ctx context.Context, conn *rpc.Conn, w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tPARKED")
	for _, service := range parkedServices() {
		n, err := conn.CountParked(ctx, service)
		switch {
		case rpc.CodeOf(err) == rpc.NotFound:
			fmt.Fprintf(table, "%s\tnever started here\n", service)
		case err != nil:
			return err
		default:
			fmt.Fprintf(table, "%s\t%d\n", service, n)
		}
	}
	return table.Flush()
}

func listParked(ctx context.Context, conn *rpc.Conn, w io.Writer, service string) error {
	parked, err := conn.Parked(ctx, service, 0)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tMETHOD\tPARKED AT\tATTEMPTS\tREASON\tLAST ERROR\tKEY")
	for _, p := range parked {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", p.ID, p.Method, when(p.At), p.Attempts, p.Reason, p.LastError, p.Key)
	}
	return table.Flush()
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// shown is a parked message as JSON, its body as what it is.
type shown struct {
	rpc.Parked
	Body any
}

func showParked(ctx context.Context, conn *rpc.Conn, w io.Writer, service, id string) error {
	parked, err := conn.Parked(ctx, service, 0)
	if err != nil {
		return err
	}
	for _, p := range parked {
		if p.ID != id {
			continue
		}
		view := shown{Parked: p, Body: string(p.Body)}
		if json.Valid(p.Body) {
			view.Body = json.RawMessage(p.Body)
		}
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(view)
	}
	return fmt.Errorf("%s has no parked message %s: see matriq dlq ls %s", service, id, service)
}

func replay(ctx context.Context, conn *rpc.Conn, w io.Writer, service, id string) error {
	if id == "all" {
		n, err := conn.ReplayAll(ctx, service)
		fmt.Fprintf(w, "%d given back to %s\n", n, service)
		return err
	}
	if err := conn.Replay(ctx, service, id); err != nil {
		return err
	}
	fmt.Fprintf(w, "1 given back to %s\n", service)
	return nil
}

func drop(ctx context.Context, conn *rpc.Conn, w io.Writer, service, id string) error {
	if err := conn.Drop(ctx, service, id); err != nil {
		return err
	}
	fmt.Fprintf(w, "1 message of %s deleted\n", service)
	return nil
}
