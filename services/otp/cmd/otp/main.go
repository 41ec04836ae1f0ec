// Command otp serves the eligible addresses and their one-time codes.
package main

import (
	"context"
	"errors"

	"matriq/pkg/redisconn"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/services/otp"
)

func main() {
	service.Main(service.Program{Name: "otp", About: otp.About, Config: otp.Config{}, Run: run})
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := otp.ReadConfig(env)
	if err != nil {
		return err
	}
	client, err := redisconn.Open(cfg.RedisURL)
	if err != nil {
		return err
	}
	if err := redisconn.Observe(client, env.Metrics); err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, env.RPC())
	if err != nil {
		return err
	}
	svc, err := otp.New(otp.NewStore(client, cfg.Rules), cfg.Rules, env.Metrics)
	if err != nil {
		return err
	}
	err = env.Serve(ctx, env.Admin(cfg.AdminAddr, svc.Checks(conn)...), func(ctx context.Context) error { return svc.Serve(ctx, conn) })
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)), client.Close())
}
