// Command otp-gateway serves one-time codes by REST.
package main

import (
	"context"
	"errors"

	"matriq/pkg/rpc"
	"matriq/pkg/service"
	otpgateway "matriq/services/otp-gateway"
)

func main() {
	service.Main(service.Program{
		Name:   "otp-gateway",
		About:  "serves the list of eligible addresses and one-time codes by REST",
		Config: otpgateway.Config{},
		Run:    run,
	})
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := otpgateway.ReadConfig(env)
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, env.RPC())
	if err != nil {
		return err
	}
	ready := service.Check{Name: "amqp", Ready: func(context.Context) error { return conn.Ready() }}
	err = env.Serve(ctx,
		env.Admin(cfg.AdminAddr, ready),
		env.HTTP(cfg.HTTPAddr, otpgateway.New(conn, cfg, env).Handler(), service.HTTPOptions{}))
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}
