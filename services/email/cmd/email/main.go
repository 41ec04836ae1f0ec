// Command email mails one-time codes and confirmations.
package main

import (
	"context"
	"errors"

	"matriq/pkg/redisconn"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/services/email"
)

func main() {
	service.Main(service.Program{Name: "email", About: email.About, Config: email.Config{}, Run: run})
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := email.ReadConfig(env)
	if err != nil {
		return err
	}
	client, redisErr := redisconn.Open(cfg.RedisURL)
	sender, smtpErr := email.NewSMTP(cfg)
	conn, amqpErr := rpc.Dial(cfg.AMQPURL, cfg.RPC(env))
	if err := errors.Join(redisErr, smtpErr, amqpErr); err != nil {
		return err
	}
	if err := redisconn.Observe(client, env.Metrics); err != nil {
		return err
	}
	defer sender.Close() //nolint:contextcheck // the farewell has a bound of its own
	svc, err := email.New(sender, email.NewRedisLog(client, cfg.LogTTL), cfg.Rules, env.Log, env.Metrics)
	if err != nil {
		return err
	}
	err = env.Serve(ctx, env.Admin(cfg.AdminAddr, svc.Checks(conn)...), func(ctx context.Context) error { return svc.Serve(ctx, conn) })
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)), client.Close())
}
