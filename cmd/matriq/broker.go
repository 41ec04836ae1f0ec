package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"matriq/pkg/rpc"
)

// brokerTimeout bounds one command at the broker, waiting for it included.
const brokerTimeout = time.Minute

// brokerFlag adds the flag by which a command finds the broker.
func brokerFlag(flags *flag.FlagSet) *string {
	return flags.String("amqp", "", "`URL` of RabbitMQ: amqp://user:password@host:5672/vhost; or set AMQP_URL or AMQP_URL_FILE, which keeps the password off the command line")
}

// withBroker runs do with a connection to the broker at url, or at AMQP_URL.
func withBroker(ctx context.Context, url string, std stdio, do func(context.Context, *rpc.Conn) error) error {
	fallback, err := setting("AMQP_URL")
	if err != nil {
		return err
	}
	if url = cmp.Or(url, fallback); url == "" {
		return errors.New("which broker? Give --amqp URL or set AMQP_URL (what matriq up keeps in memory ends with it)")
	}
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	conn, err := rpc.Dial(url, rpc.Options{Service: "matriq", Log: slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return fmt.Errorf("--amqp: %w", err)
	}
	return errors.Join(do(ctx, conn), conn.Close(context.WithoutCancel(ctx)))
}
