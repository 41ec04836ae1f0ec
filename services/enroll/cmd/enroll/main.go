// Command enroll keeps the enrolment records.
package main

import (
	"context"
	"errors"

	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
	"matriq/services/enroll"
)

func main() {
	service.Main(service.Program{Name: "enroll", About: "Keeps the enrolment records.", Config: enroll.Config{}, Run: run})
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := enroll.ReadConfig(env)
	if err != nil {
		return err
	}
	db, err := sqldb.Open(cfg.DSN)
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, env.RPC())
	if err != nil {
		return errors.Join(err, db.Close())
	}
	svc, err := enroll.NewOnSQL(db, cfg, env)
	if err == nil {
		err = env.Serve(ctx, env.Admin(cfg.AdminAddr, svc.Checks(conn)...), svc.Part(conn))
	}
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)), db.Close())
}
