// Command register-gateway serves registrations by REST.
package main

import (
	"context"
	"errors"

	"matriq/pkg/rpc"
	"matriq/pkg/service"
	registergateway "matriq/services/register-gateway"
)

func main() {
	service.Main(service.Program{
		Name:   "register-gateway",
		About:  "serves registrations by REST",
		Config: registergateway.Config{},
		Run:    run,
	})
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := registergateway.ReadConfig(env)
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, env.RPC())
	if err != nil {
		return err
	}
	gateway, err := registergateway.New(conn, cfg, env)
	if err != nil {
		return err
	}
	ready := service.Check{Name: "amqp", Ready: func(context.Context) error { return conn.Ready() }}
	err = env.Serve(ctx,
		env.Admin(cfg.AdminAddr, ready),
		env.HTTP(cfg.HTTPAddr, gateway.Handler(), service.HTTPOptions{}))
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}
