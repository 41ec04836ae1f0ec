// Command ui serves the pages on which a person registers.
package main

import (
	"context"

	"matriq/pkg/redisconn"
	"matriq/pkg/service"
	"matriq/services/ui"
)

func main() {
	service.Main(service.Program{Name: "ui", About: "Serves the pages on which a person registers.", Config: ui.Config{}, Run: run})
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := ui.ReadConfig(env)
	if err != nil {
		return err
	}
	redis, err := redisconn.Open(cfg.RedisURL)
	if err != nil {
		return err
	}
	defer redis.Close()
	if err := redisconn.Observe(redis, env.Metrics); err != nil {
		return err
	}
	gateways, err := ui.NewGateways(cfg, env)
	if err != nil {
		return err
	}
	defer gateways.Close()
	pages, err := ui.New(redis, gateways, cfg, env)
	if err != nil {
		return err
	}
	return env.Serve(ctx,
		env.HTTP(cfg.HTTPAddr, pages.Handler(), service.HTTPOptions{}),
		env.Admin(cfg.AdminAddr, service.Check{Name: "redis", Ready: pages.Ready}))
}
