// Command email is the service email, its lane for confirmations, that dies
// right after its note of a sent mail, before its event and its
// acknowledgement.
package main

import (
	"context"
	"time"

	"matriq/pkg/redisconn"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/services/email"
	"matriq/test/crash"
)

func main() {
	service.Main(service.Program{Name: "email", Config: email.Config{}, Run: run})
}

// log dies when a mail was noted.
type log struct{ email.Log }

// Note implements [email.Log].
func (l log) Note(ctx context.Context, id string, at time.Time) error {
	err := l.Log.Note(ctx, id, at)
	if err == nil {
		crash.Die()
	}
	return err
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := email.ReadConfig(env)
	if err != nil {
		return err
	}
	client, err := redisconn.Open(cfg.RedisURL)
	if err != nil {
		return err
	}
	sender, err := email.NewSMTP(cfg)
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, cfg.RPC(env))
	if err != nil {
		return err
	}
	svc, err := email.New(sender, log{email.NewRedisLog(client, cfg.LogTTL)}, cfg.Rules, env.Log, env.Metrics)
	if err != nil {
		return err
	}
	return env.Serve(ctx, env.Admin(cfg.AdminAddr, svc.Checks(conn)...), func(ctx context.Context) error { return svc.Serve(ctx, conn) })
}
