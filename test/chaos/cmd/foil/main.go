// Command foil is a registration made the published system's way, to show what
// chaos does to it: the gateway calls student.insert, and when it has the
// student ID it sends enroll.insert and email.send on their way and waits for no
// reply. Between the three nothing remembers what is still to be done.
//
// It is not made badly on purpose. Queues are durable, messages persistent,
// publishing is confirmed, and a worker acknowledges after its work, as Nameko
// does. A process that loses the broker comes back to it.
//
//	foil student|enroll|email AMQP DSN     a worker; for email, DSN is the mail server
//	foil gateway AMQP ADDR                 POST /register on ADDR
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const reconnectAfter = 200 * time.Millisecond

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(context.Background(), log, os.Args[1:]); err != nil {
		log.Error("stopped", slog.Any("error", err))
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: foil student|enroll|email|gateway AMQP DSN|ADDR")

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) != 3 {
		return errUsage
	}
	role, broker, where := args[0], args[1], args[2]
	if role == "gateway" {
		return serveGateway(ctx, log, broker, where)
	}
	handle, err := handler(ctx, role, where)
	if err != nil {
		return err
	}
	return hold(ctx, log, broker, func(conn *amqp.Connection) error {
		return work(ctx, conn, "rpc-"+role, handle)
	})
}

// hold runs use on one connection after the other, until ctx ends.
func hold(ctx context.Context, log *slog.Logger, broker string, use func(*amqp.Connection) error) error {
	for ctx.Err() == nil {
		conn, err := amqp.Dial(broker)
		if err == nil {
			err = use(conn)
			_ = conn.Close() // it is broken
		}
		log.InfoContext(ctx, "broker lost", slog.Any("error", err))
		timer := time.NewTimer(reconnectAfter)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return ctx.Err()
}
