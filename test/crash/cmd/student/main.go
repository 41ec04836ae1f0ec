// Command student is the service student that dies right after the commit of a
// registration, before its reply and its relay.
package main

import (
	"context"

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
	"matriq/services/student"
	"matriq/test/crash"
)

func main() {
	service.Main(service.Program{Name: "student", Config: student.Config{}, Run: run})
}

// store dies when a student is new.
type store struct{ student.Store }

// Register implements [student.Store].
func (s store) Register(ctx context.Context, r student.Registration) (int64, bool, error) {
	id, first, err := s.Store.Register(ctx, r)
	if err == nil && first {
		crash.Die()
	}
	return id, first, err
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := student.ReadConfig(env)
	if err != nil {
		return err
	}
	db, err := sqldb.Open(cfg.DSN)
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, env.RPC())
	if err != nil {
		return err
	}
	box := outbox.New(db, outbox.Options{Log: env.Log})
	svc, err := student.New(store{student.NewSQLStore(db, box, cfg.Keep, env.Log)}, box, env.Log, env.Metrics)
	if err != nil {
		return err
	}
	return env.Serve(ctx, env.Admin(cfg.AdminAddr, svc.Checks(conn)...), svc.Part(conn))
}
